/* Recursion: calls, returns, pushes and pops. */
#include "start.h"

__attribute__((noinline, optimize("no-optimize-sibling-calls,no-inline")))
static u32 fib(u32 n) 
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(void)
{
    u32 sum = 0;
    for (u32 n = 0; n <= 36; n++)
        sum += fib(n);
    put_number(sum);
    put_char('\n');
    return 0;
}
