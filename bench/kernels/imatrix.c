/* Product of integer matrices: multiply-accumulate with two strides. */
#include "start.h"
#define N 160
#define ROUNDS 70
static i32 a[N][N], b[N][N], c[N][N];

int main(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = random_word() >> 16;
            b[i][j] = random_word() >> 16;
        }
    u32 sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                i32 total = 0;
                for (int k = 0; k < N; k++)
                    total += a[i][k] * b[k][j];
                c[i][j] = total;
            }
        for (int i = 0; i < N; i++) {
            sum = sum * 31 + c[i][round];
            a[i][round] = sum >> 20;
        }
    }
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
