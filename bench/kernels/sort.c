/* Quicksort with insertion sort for short pieces: unpredictable branches, recursion. */
#include "start.h"
#define SIZE 200000
#define ROUNDS 22
static i32 values[SIZE];

static void sort(i32 *low, i32 *high)
{
    while (high - low > 12) {
        i32 pivot = low[(high - low) / 2];
        i32 *i = low, *j = high;
        while (i <= j) {
            while (*i < pivot)
                i++;
            while (*j > pivot)
                j--;
            if (i <= j) {
                i32 kept = *i;
                *i++ = *j;
                *j-- = kept;
            }
        }
        if (j - low < high - i) {
            sort(low, j);
            low = i;
        } else {
            sort(i, high);
            high = j;
        }
    }
    for (i32 *i = low + 1; i <= high; i++) {
        i32 value = *i, *j = i;
        for (; j > low && j[-1] > value; j--)
            *j = j[-1];
        *j = value;
    }
}

int main(void)
{
    u32 sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZE; i++)
            values[i] = random_word();
        sort(values, values + SIZE - 1);
        for (int i = 1; i < SIZE; i++)
            sum = sum * 31 + (values[i] >= values[i - 1]) + (u32)values[i];
    }
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
