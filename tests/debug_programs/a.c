#include <stdio.h>
#include <string.h>
#include <stdlib.h>
struct point { int x, y; unsigned flag:3, other:7; };
enum color { RED, GREEN = 5, BLUE };
union either { int i; float f; };
typedef int (*callback)(int);
struct node { struct node *next; struct point at; enum color c; char name[8]; union either u; callback fn; double d; };
static int counter = 7;
int table[4][2] = {{1,2},{3,4},{5,6},{7,8}};
const char *greeting = "hello";
volatile unsigned char status_register = 0x41;
static inline __attribute__((always_inline)) int twice(int v)
{
    int w = v * 2;
    return w + counter;
}
static int apply(callback f, int v)
{
    static int calls = 3;
    calls++;
    return f(v) + calls;
}
static int add_one(int v)
{
    return v + 1;
}
__attribute__((noinline)) int leaf(struct node *n, int depth)
{
    int sum = 0;
    for (int i = 0; i < depth; i++) {
        int inner = i * 3;
        sum += inner + n->at.x;
    }
    n->d += sum;
    return sum;
}
__attribute__((noinline)) int recurse(struct node *n, int depth)
{
    char buf[16];
    double local_d = depth * 1.5;
    snprintf(buf, sizeof buf, "d%d", depth);
    if (depth == 0)
        return leaf(n, 5) + (int)strlen(buf);
    n->c = depth & 1 ? GREEN : BLUE;
    int r = recurse(n, depth - 1) + twice(depth);
    return r + (int)local_d;
}
static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}
int main(int argc, char **argv)
{
    struct node n = { .at = {3, -4, 5, 100}, .c = RED, .name = "node", .u.i = 9, .fn = add_one, .d = 2.5 };
    n.next = &n;
    int list[5] = {5, 4, 3, 2, 1};
    qsort(list, 5, sizeof list[0], compare);
    int total = recurse(&n, argc + 3) + apply(add_one, list[0]);
    printf("%d %s %d %d\n", total, greeting, table[1][1], status_register);
    (void)argv;
    return total > 1000;
}
