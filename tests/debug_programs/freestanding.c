/* A program for x86 and PowerPC that needs no library and no floating point: calls, recursion, structures, strings, system calls. */
typedef unsigned long size_t;
struct point { int x, y; char name[8]; };
static struct point table[4];
volatile int counter;
static long sys(long n, long a, long b, long c)
{
    long r;
#ifdef __powerpc__
    register long r0 __asm__("r0") = n, r3 __asm__("r3") = a, r4 __asm__("r4") = b, r5 __asm__("r5") = c;
    __asm__ volatile("sc" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5) : : "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cr0", "memory");
    r = r3;
#elif defined(__x86_64__)
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
#ifdef __powerpc__
    sys(234, status, 0, 0);
#elif defined(__x86_64__)
    sys(231, status, 0, 0);
#else
    sys(252, status, 0, 0);
#endif
}
#ifdef __powerpc64__
__asm__(".globl _start\n_start: lis 2,.TOC.@ha\n addi 2,2,.TOC.@l\n mr 3,1\n li 0,0\n stdu 0,-32(1)\n bl begin\n nop\n trap");
#elif defined(__powerpc__)
__asm__(".globl _start\n_start: mr 3,1\n li 0,0\n stwu 0,-16(1)\n bl begin\n trap");
#elif defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call begin\n hlt");
#else
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %esp,%eax\n and $-16,%esp\n sub $12,%esp\n push %eax\n call begin\n hlt");
#endif
