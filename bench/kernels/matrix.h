/* Product of matrices of NUMBER, which smatrix.c and dmatrix.c define. */
#include "start.h"
#define N 128
static NUMBER a[N][N], b[N][N], c[N][N];

int main(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (NUMBER)(i32)(random_word() >> 12) / 1048576;
            b[i][j] = (NUMBER)(i32)(random_word() >> 12) / 1048576 - (NUMBER)0.5;
        }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                NUMBER total = 0;
                for (int k = 0; k < N; k++)
                    total += a[i][k] * b[k][j];
                c[i][j] = total;
            }
        for (int i = 0; i < N; i++)
            a[i][round % N] = c[i][i] / 16;
    }
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum += c[i][j];
    put_hex(double_to_bits(sum), 16);
    put_char('\n');
    return 0;
}
