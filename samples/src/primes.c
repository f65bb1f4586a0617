/* Counts the primes below ten million, a segment of the sieve at a time: integer work, about a second under an
 * interpreter. */
#include "start.h"
#define LIMIT 10000000
#define SEGMENT 32768
#define ROOT 3163
static u8 small[ROOT + 1], segment[SEGMENT];
static u32 primes[500], next[500];

int main(void)
{
    u32 known = 0, count = 0, last = 0;
    for (u32 i = 2; i <= ROOT; i++) {
        if (small[i])
            continue;
        primes[known] = i;
        next[known++] = i * i;
        for (u32 j = i * i; j <= ROOT; j += i)
            small[j] = 1;
    }
    for (u32 low = 0; low < LIMIT; low += SEGMENT) {
        u32 size = LIMIT - low < SEGMENT ? LIMIT - low : SEGMENT;
        for (u32 i = 0; i < size; i++)
            segment[i] = low + i < 2;
        for (u32 p = 0; p < known; p++) {
            u32 at = next[p] - low;
            for (; at < size; at += primes[p])
                segment[at] = 1;
            next[p] = low + at;
        }
        for (u32 i = 0; i < size; i++)
            if (!segment[i])
                count++, last = low + i;
    }
    put_number(count);
    put_text(" primes below ");
    put_number(LIMIT);
    put_text(", the last is ");
    put_number(last);
    put_text(".\n");
    return 0;
}
