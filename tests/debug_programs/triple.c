#include <string.h>
int library_calls;
static int helper(int x)
{
    return x * 3;
}
int triple(int x)
{
    library_calls++;
    return helper(x);
}
