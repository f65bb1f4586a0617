/* Sieve of Eratosthenes over a byte array: short loops, byte stores, few branches missed. */
#include "start.h"
#define LIMIT 2000000
#define ROUNDS 26
static u8 composite[LIMIT + 1];

int main(void)
{
    u32 count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (u32 i = 0; i <= LIMIT; i++)
            composite[i] = 0;
        for (u32 i = 2; i * i <= LIMIT; i++)
            if (!composite[i])
                for (u32 j = i * i; j <= LIMIT; j += i)
                    composite[j] = 1;
        for (u32 i = 2; i <= LIMIT; i++)
            count += !composite[i];
    }
    put_number(count);
    put_char('\n');
    return 0;
}
