/* Copies and fills of a megabyte in bytes, words and blocks of words. */
#include "start.h"
#define WORDS 262144
#define ROUNDS 600
static u32 from[WORDS], to[WORDS];
struct block { u32 word[8]; };

int main(void)
{
    for (u32 i = 0; i < WORDS; i++)
        from[i] = random_word();
    u32 sum = 0;
    for (u32 round = 0; round < ROUNDS; round++) {
        volatile u32 *one = from, *other = to;  /* volatile: no vectors, no memcpy */
        for (u32 i = 0; i < WORDS; i++)
            other[i] = one[i];
        volatile u8 *bytes = (volatile u8 *)to;
        for (u32 i = 0; i < WORDS; i++)
            bytes[i] = round;
        struct block *source = (struct block *)from, *target = (struct block *)to;
        for (u32 i = WORDS / 16; i < WORDS / 8; i++)
            target[i] = source[WORDS / 8 - 1 - i];
        sum = sum * 31 + to[round * 811 % WORDS];
        from[round * 631 % WORDS] = sum;
    }
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
