/* A hash table with open addressing, and SipHash-like mixing in 64 bits: multiplies, adds with carry. */
#include "start.h"
#define SLOTS 65536
#define ROUNDS 25000000
static u32 keys[SLOTS], counts[SLOTS];

static inline u64 rotate(u64 value, int by) { return value << by | value >> (64 - by); }

static u32 mix(u64 key)
{
    u64 a = key ^ 0x736f6d6570736575ull, b = key * 0x9e3779b97f4a7c15ull;
    for (int i = 0; i < 2; i++) {
        a += b;
        b = rotate(b, 13) ^ a;
        a = rotate(a, 32) + b;
        b = rotate(b, 17) ^ a;
    }
    return a ^ a >> 32 ^ b;
}

int main(void)
{
    u32 steps = 0, sum = 0;
    for (u32 i = 0; i < ROUNDS; i++) {
        u32 key = random_word() % 40000 + 1, slot = mix(key) % SLOTS;
        while (keys[slot] && keys[slot] != key) {
            slot = (slot + 1) % SLOTS;
            steps++;
        }
        keys[slot] = key;
        counts[slot]++;
    }
    for (u32 i = 0; i < SLOTS; i++)
        sum = sum * 33 + keys[i] * counts[i];
    put_number(steps);
    put_char(' ');
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
