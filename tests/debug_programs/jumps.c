/* A call that is left by longjmp: to its own caller's frame, or to one between. */
#include <setjmp.h>
#include <stdio.h>

static jmp_buf place;
static volatile int result;

static void deep(int n)
{
    if (n)
        deep(n - 1);
    else
        longjmp(place, 3);
}

static void between(void)
{
    if (setjmp(place) == 0)
        deep(4);
    result++;
}

int main(void)
{
    between();
    if (setjmp(place) == 0)
        deep(5);
    result += 2;
    printf("%d\n", result);
    return 0;
}
