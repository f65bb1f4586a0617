/* Motions by line: calls, recursion, loops, several statements on a line, an inlined function. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct node { int len; const char *name; struct node *next; };
int counter;
static volatile int sink;

static inline __attribute__((always_inline)) int twice(int x)
{
    int y = x + x;
    return y;
}

int factorial(int n)
{
    if (n < 2)
        return 1;
    return n * factorial(n - 1);
}

int add(int a, int b)
{
    int sum = a;
    sum += b;
    return sum;
}

void touch(struct node *s)
{
    s->len += 1;
    counter++;
}

double half(int n)
{
    return n / 2.0;
}

long long wide(int n)
{
    return (long long)n << 33;
}

int main(int argc, char **argv)
{
    char buf[16];
    struct node s = { 3, "three", 0 };
    int i, total = 0;
    strcpy(buf, argc > 1 ? argv[1] : "x");
    for (i = 0; i < 3; i++) {
        total += add(i, total);
        touch(&s);
    }
    total = factorial(5);
    total += add(factorial(3), add(1, 2));
    sink = twice(total);
    for (i = 0; i < 10; i++) sink += i;
    if (half(3) > 1) total++;
    total += (int)(wide(1) >> 32);
    printf("%d %d\n", total, counter);
    return total > 0 ? 0 : 1;
}
