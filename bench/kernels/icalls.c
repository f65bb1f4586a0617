/* Indirect calls through a table, as of virtual methods: eight targets in an order that changes. */
#include "start.h"
#define ROUNDS 30000000
typedef u32 (*method)(u32, u32);
#define METHOD(name, body) __attribute__((noinline)) static u32 name(u32 a, u32 b) { return body; }
METHOD(add, a + b)
METHOD(subtract, a - b)
METHOD(combine, (a ^ b) + 1)
METHOD(both, (a | b) * 3)
METHOD(turn, (a << 5 | a >> 27) + b)
METHOD(scale, a * 5 + b)
METHOD(shift, (a >> 1) + b)
METHOD(negate, ~a - b)
static method volatile methods[8] = { add, subtract, combine, both, turn, scale, shift, negate };

int main(void)
{
    method table[8];
    u32 sum = 12345;
    for (int i = 0; i < 8; i++)
        table[i] = methods[i];
    for (u32 i = 0; i < ROUNDS; i++)
        sum = table[(i ^ i >> 3 ^ sum >> 28) & 7](sum, i);
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
