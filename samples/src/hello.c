/* The smallest program: one line, then the end. */
#include "start.h"

int main(void)
{
    put_text("Hello from 32-bit ARM.\n");
    return 0;
}
