/* Fast Fourier transform in double precision, forth and back. */
#include "start.h"
#define BITS 12
#define SIZE (1 << BITS)
#define ROUNDS 250
static double re[SIZE], im[SIZE], wave_re[SIZE / 2], wave_im[SIZE / 2];

static void make_waves(void)
{
    double c = 1, s = 0, half = 0.0007669903187427045;     /* pi / SIZE */
    double square = half * half;
    double sine = half * (1 - square / 6 * (1 - square / 20));
    double alpha = 2 * sine * sine, beta = 2 * sine * (1 - square / 2 * (1 - square / 12));
    for (int i = 0; i < SIZE / 2; i++) {
        wave_re[i] = c;
        wave_im[i] = s;
        double next = c - (alpha * c + beta * s);
        s = s - (alpha * s - beta * c);
        c = next;
    }
}

static void transform(double sign)
{
    for (u32 i = 0, j = 0; i < SIZE; i++) {
        if (i < j) {
            double kept = re[i]; re[i] = re[j]; re[j] = kept;
            kept = im[i]; im[i] = im[j]; im[j] = kept;
        }
        u32 bit = SIZE >> 1;
        while (j & bit)
            j ^= bit, bit >>= 1;
        j |= bit;
    }
    for (u32 half = 1, step = SIZE / 2; half < SIZE; half *= 2, step /= 2)
        for (u32 start = 0; start < SIZE; start += 2 * half)
            for (u32 k = 0; k < half; k++) {
                double wr = wave_re[k * step], wi = sign * wave_im[k * step];
                u32 i = start + k, j = i + half;
                double tr = re[j] * wr - im[j] * wi, ti = re[j] * wi + im[j] * wr;
                re[j] = re[i] - tr;
                im[j] = im[i] - ti;
                re[i] += tr;
                im[i] += ti;
            }
}

int main(void)
{
    make_waves();
    for (int i = 0; i < SIZE; i++)
        re[i] = (double)(i32)(random_word() >> 8) / 16777216, im[i] = 0;
    for (int round = 0; round < ROUNDS; round++) {
        transform(1);
        transform(-1);
        for (int i = 0; i < SIZE; i++)
            re[i] /= SIZE, im[i] /= SIZE;
    }
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += re[i] + im[i];
    put_hex(double_to_bits(sum), 16);
    put_char('\n');
    return 0;
}
