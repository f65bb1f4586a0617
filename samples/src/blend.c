/* Blends two pictures of bytes, sixteen at a time, and filters a tone: Advanced SIMD. */
#include "start.h"
#include <arm_neon.h>
#define SIZE 65536
#define ROUNDS 400
static u8 one[SIZE], other[SIZE];
static float tone[4096];

int main(void)
{
    for (u32 i = 0; i < SIZE; i++) {
        one[i] = random_word() >> 24;
        other[i] = random_word() >> 24;
        tone[i % 4096] = (float)(i32)(random_word() >> 16) * (1.0f / 65536);
    }
    const float32x4_t half = vdupq_n_f32(0.5f);
    for (int round = 0; round < ROUNDS; round++) {
        for (u32 i = 0; i < SIZE; i += 16) {
            uint8x16_t a = vld1q_u8(one + i), b = vld1q_u8(other + i);
            vst1q_u8(one + i, vqaddq_u8(vrhaddq_u8(a, b), vdupq_n_u8(1)));
            vst1q_u8(other + i, veorq_u8(b, vdupq_n_u8(round)));
        }
        for (u32 i = 0; i + 8 <= 4096; i += 4)
            vst1q_f32(tone + i, vmulq_f32(vaddq_f32(vld1q_f32(tone + i), vld1q_f32(tone + i + 1)), half));
    }
    u32 sum = 0;
    for (u32 i = 0; i < SIZE; i++)
        sum = sum * 31 + one[i] + other[i] + float_to_bits(tone[i % 4096]);
    put_text("picture and tone: ");
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
