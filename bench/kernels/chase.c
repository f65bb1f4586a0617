/* Pointer chase: one dependent load after the other through 4 MB in random order. */
#include "start.h"
#define SLOTS 1048576
#define STEPS 30000000
static u32 next[SLOTS];

int main(void)
{
    for (u32 i = 0; i < SLOTS; i++)
        next[i] = i;
    for (u32 i = SLOTS - 1; i; i--) {           /* Sattolo: one single cycle */
        u32 j = random_word() % i, kept = next[i];
        next[i] = next[j];
        next[j] = kept;
    }
    u32 at = 0, sum = 0;
    for (u32 i = 0; i < STEPS; i++) {
        at = next[at];
        sum += at;
    }
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
