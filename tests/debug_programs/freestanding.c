/* A program for x86 that needs no library and no floating point: calls, recursion, structures, strings, system calls. */
typedef unsigned long size_t;
struct point { int x, y; char name[8]; };
static struct point table[4];
volatile int counter;
static long sys(long n, long a, long b, long c)
{
    long r;
#ifdef __x86_64__
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
#endif
    return r;
}
__attribute__((noinline)) int leaf(int n) { counter += n; return n * 2; }
__attribute__((noinline)) int fact(int n)
{
    if (n <= 1)
        return 1;
    return n * fact(n - 1);
}
__attribute__((noinline)) struct point make(int i)
{
    struct point p = {i, i * i, "abc"};
    p.name[0] += i;
    return p;
}
__attribute__((noinline)) void copy(char *to, const char *from, size_t n)
{
    while (n--)
        *to++ = *from++;
}
int run(int argc)
{
    int i, total = 0;
    char text[16];
    for (i = 0; i < 4; i++) {
        table[i] = make(i);
        total += leaf(i);
    }
    copy(text, "hello, gdb\n", 12);
    total += fact(5);
#ifdef __x86_64__
    sys(1, 1, (long)text, 11);
#else
    sys(4, 1, (long)text, 11);
#endif
    return total + argc;
}
void begin(long *stack)
{
    int status = run((int)stack[0]);
#ifdef __x86_64__
    sys(231, status, 0, 0);
#else
    sys(252, status, 0, 0);
#endif
}
#ifdef __x86_64__
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call begin\n hlt");
#else
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %esp,%eax\n and $-16,%esp\n sub $12,%esp\n push %eax\n call begin\n hlt");
#endif
