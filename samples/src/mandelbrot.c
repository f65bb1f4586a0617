/* Draws the Mandelbrot set in letters: floating point in double precision. */
#include "start.h"
#define WIDTH 76
#define HEIGHT 30
#define LIMIT 20000

int main(void)
{
    static const char shades[] = " .,:;-=+ox%#&@";
    for (int row = 0; row < HEIGHT; row++) {
        for (int column = 0; column < WIDTH; column++) {
            double cx = column * (3.1 / WIDTH) - 2.2, cy = (row + 0.5) * (2.4 / HEIGHT) - 1.2, x = 0, y = 0;
            int turn = 0, shade = 0;
            while (turn < LIMIT && x * x + y * y <= 4) {
                double next = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = next;
                turn++;
            }
            while (shade < 12 && turn >> shade > 1)
                shade++;
            put_char(turn == LIMIT ? '@' : shades[shade]);
        }
        put_char('\n');
    }
    return 0;
}
