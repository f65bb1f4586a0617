/* Four single-precision lanes at a time (Advanced SIMD, SSE, AltiVec): a filter, a dot product, an integer blend of bytes. */
#include "start.h"
#define SIZE 4096
#define ROUNDS 10000
#if defined(__arm__)
#include <arm_neon.h>
typedef float32x4_t f4;
typedef uint8x16_t b16;
#define ADD(a, b) vaddq_f32(a, b)
#define MUL(a, b) vmulq_f32(a, b)
#define AVERAGE(a, b) vrhaddq_u8(a, b)
#elif defined(__ALTIVEC__)
#include <altivec.h>
typedef __vector float f4;
typedef __vector unsigned char b16;
#define ADD(a, b) vec_add(a, b)
#define MUL(a, b) ((a) * (b))
#define AVERAGE(a, b) vec_avg(a, b)
#else
#include <emmintrin.h>
typedef __m128 f4;
typedef __m128i b16;
#define ADD(a, b) _mm_add_ps(a, b)
#define MUL(a, b) _mm_mul_ps(a, b)
#define AVERAGE(a, b) _mm_avg_epu8(a, b)
#endif
static float x[SIZE] __attribute__((aligned(16))), y[SIZE] __attribute__((aligned(16)));
static u8 p[SIZE] __attribute__((aligned(16))), q[SIZE] __attribute__((aligned(16)));

int main(void)
{
    for (int i = 0; i < SIZE; i++) {
        x[i] = (float)(i32)(random_word() >> 12) / 1048576 + 0.25f;
        y[i] = (float)(i32)(random_word() >> 12) / 1048576 + 0.25f;
        p[i] = random_word() >> 24;
        q[i] = random_word() >> 24;
    }
    f4 total = { 0, 0, 0, 0 };
    const f4 scale = { 0.5f, 0.5f, 0.5f, 0.5f };
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZE; i += 4) {
            f4 *one = (f4 *)(x + i), *other = (f4 *)(y + i);
            *one = MUL(ADD(*one, *other), scale);
            total = ADD(total, MUL(*one, *other));
        }
        for (int i = 0; i < SIZE; i += 16) {
            b16 *one = (b16 *)(p + i), *other = (b16 *)(q + i);
            *one = AVERAGE(*one, *other);
        }
        p[round % SIZE] = round;
        y[round % SIZE] += 0.125f;
        if (round % 512 == 511)
            total = MUL(total, scale);
    }
    union { f4 vector; float lane[4]; } lanes = { total };
    u32 sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum = sum * 31 + p[i] + float_to_bits(x[i]);
    for (int i = 0; i < 4; i++)
        put_hex(float_to_bits(lanes.lane[i]), 8), put_char(' ');
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
