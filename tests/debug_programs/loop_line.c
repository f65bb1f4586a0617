/* A loop that is all on one line, with a call in it. */
#include <stdio.h>

static unsigned twist(unsigned value) { return value * 3 + 1; }

int main(void)
{
    unsigned value = 7;
    volatile unsigned total = 1;
    for (unsigned i = 0; i < 50000; i++) total += twist(value + i);
    total += 2;
    printf("%u\n", total);
    return 0;
}
