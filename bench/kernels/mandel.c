/* Mandelbrot set in double precision: short dependent chains and a compare in each turn. */
#include "start.h"
#define WIDTH 240
#define HEIGHT 160
#define LIMIT 1300

int main(void)
{
    u32 sum = 0;
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++) {
            double cx = column * (3.0 / WIDTH) - 2.0, cy = row * (2.0 / HEIGHT) - 1.0, x = 0, y = 0;
            int turn = 0;
            while (turn < LIMIT && x * x + y * y <= 4) {
                double next = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = next;
                turn++;
            }
            sum = sum * 31 + turn;
        }
    put_hex(sum, 8);
    put_char('\n');
    return 0;
}
