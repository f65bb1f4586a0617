/* Direct calls of small functions that are not inlined: branch with link, return, arguments in registers. */
#include "start.h"
#define APART __attribute__((noinline, noclone))
#define ROUNDS 30000000
APART static u32 add(u32 a, u32 b) { return a + b * 3; }
APART static u32 turn(u32 a) { return a << 7 | a >> 25; }
APART static u32 choose(u32 a, u32 b, u32 c) { return a & 1 ? add(b, c) : turn(b); }

int main(void)
{
    u32 sum = 1;
    for (u32 i = 0; i < ROUNDS; i++)
        sum = choose(sum >> 3, sum, i);
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
