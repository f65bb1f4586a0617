/* Conway's game of life, 32 cells in a word: logical operations and shifts. */
#include "start.h"
#define ROWS 512
#define WORDS 16
#define GENERATIONS 600
static u32 cells[2][ROWS][WORDS];

static u32 left_of(const u32 *row, int word) { return row[word] << 1 | row[(word + WORDS - 1) % WORDS] >> 31; }
static u32 right_of(const u32 *row, int word) { return row[word] >> 1 | row[(word + 1) % WORDS] << 31; }

int main(void)
{
    for (int row = 0; row < ROWS; row++)
        for (int word = 0; word < WORDS; word++)
            cells[0][row][word] = random_word() & random_word();
    u32 alive = 0;
    for (int generation = 0; generation < GENERATIONS; generation++) {
        u32(*now)[WORDS] = cells[generation & 1], (*then)[WORDS] = cells[~generation & 1];
        alive = 0;
        for (int row = 0; row < ROWS; row++) {
            const u32 *above = now[(row + ROWS - 1) % ROWS], *here = now[row], *below = now[(row + 1) % ROWS];
            for (int word = 0; word < WORDS; word++) {
                u32 neighbours[8] = { above[word], below[word], left_of(above, word), right_of(above, word),
                                      left_of(here, word), right_of(here, word), left_of(below, word), right_of(below, word) };
                u32 ones = 0, twos = 0, fours = 0;
                for (int i = 0; i < 8; i++) {
                    u32 carry = ones & neighbours[i];
                    ones ^= neighbours[i];
                    fours |= twos & carry;
                    twos ^= carry;
                }
                u32 next = twos & ~fours & (ones | here[word]);
                then[row][word] = next;
                for (; next; next &= next - 1)
                    alive++;
            }
        }
    }
    put_number(alive);
    put_text(" cells alive after ");
    put_number(GENERATIONS);
    put_text(" generations.\n");
    return 0;
}
