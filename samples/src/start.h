/* A start without a C library: entry point, the few system calls and prints the samples and kernels need.
 * Works for ARM (A32, T32; Cortex-M with semihosting), x86-64, i386 and PowerPC, so that a kernel's native build is the same code. Include it once. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
typedef long long i64;

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
#define SYS_EXIT 0x18
#define SYS_WRITE 0x05
#define SYS_GETPID 0x11
/* Semihosting: the console's handle is 1, for it is the first file that is opened. */
static inline long semihosting(long number, const void *parameter)
{
    register long r0 __asm__("r0") = number;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
static inline long system_call(long number, long a, long b, long c)
{
    const long block[3] = { a, b, c };
    return semihosting(number, number == SYS_EXIT ? (const void *)(a ? 0x20023 : 0x20026) : block);
}
#elif defined(__arm__)
#define SYS_EXIT 248
#define SYS_WRITE 4
#define SYS_GETPID 20
static inline long system_call(long number, long a, long b, long c)
{
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = b;
    register long r2 __asm__("r2") = c;
#if defined(__thumb__)
    __asm__ volatile("push {r7}; mov r7, %1; svc 0; pop {r7}" : "+r"(r0) : "r"(number), "r"(r1), "r"(r2) : "memory", "lr");
#else
    register long r7 __asm__("r7") = number;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
#endif
    return r0;
}
#elif defined(__x86_64__)
#define SYS_EXIT 231
#define SYS_WRITE 1
#define SYS_GETPID 39
static inline long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
#elif defined(__i386__)
#define SYS_EXIT 252
#define SYS_WRITE 4
#define SYS_GETPID 20
static inline long system_call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
#elif defined(__powerpc__)
#define SYS_EXIT 234
#define SYS_WRITE 4
#define SYS_GETPID 20
static inline long system_call(long number, long a, long b, long c)
{
    register long r0 __asm__("r0") = number;
    register long r3 __asm__("r3") = a;
    register long r4 __asm__("r4") = b;
    register long r5 __asm__("r5") = c;
    __asm__ volatile("sc; bns+ 1f; neg 3, 3; 1:" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5)
                     : : "memory", "cr0", "ctr", "xer", "r6", "r7", "r8", "r9", "r10", "r11", "r12");
    return r3;
}
#else
#error "no system calls for this architecture"
#endif

static char out_text[4096];
static u32 out_length;

static void flush(void)
{
    system_call(SYS_WRITE, 1, (long)out_text, out_length);
    out_length = 0;
}

static void put_char(char c)
{
    if (out_length == sizeof out_text)
        flush();
    out_text[out_length++] = c;
    if (c == '\n')
        flush();
}

static void put_text(const char *text)
{
    while (*text)
        put_char(*text++);
}

static void put_hex(u64 value, int digits)
{
    while (digits--)
        put_char("0123456789abcdef"[value >> 4 * digits & 15]);
}

static void put_number(u32 value)
{
    char digits[10];
    int count = 0;
    do {
        u32 tenth = value / 10;
        digits[count++] = '0' + (value - tenth * 10);
        value = tenth;
    } while (value);
    while (count)
        put_char(digits[--count]);
}

/* Numbers that look random and are the same everywhere. */
static u32 random_seed = 2463534242u;
static inline u32 random_word(void)
{
    random_seed ^= random_seed << 13;
    random_seed ^= random_seed >> 17;
    random_seed ^= random_seed << 5;
    return random_seed;
}

/* The compiler may call these for copies of structures. */
#define BY_HAND __attribute__((used, optimize("no-tree-loop-distribute-patterns")))
BY_HAND void *memcpy(void *to, const void *from, unsigned long size)
{
    for (unsigned long i = 0; i < size; i++)
        ((u8 *)to)[i] = ((const u8 *)from)[i];
    return to;
}

BY_HAND void *memset(void *to, int value, unsigned long size)
{
    for (unsigned long i = 0; i < size; i++)
        ((u8 *)to)[i] = value;
    return to;
}

static inline double bits_to_double(u64 bits)
{
    union { u64 bits; double value; } both = { bits };
    return both.value;
}

static inline u64 double_to_bits(double value)
{
    union { double value; u64 bits; } both = { value };
    return both.bits;
}

static inline u32 float_to_bits(float value)
{
    union { float value; u32 bits; } both = { value };
    return both.bits;
}

/* How often the program runs: kernels that are measured may be too short for that. */
#ifndef REPEAT
#define REPEAT 1
#endif

int main(void);

__attribute__((used, noreturn)) static void begin(void)
{
    int code = 0;
    for (int i = 0; i < REPEAT && !code; i++)
        code = main();
    flush();
    for (;;)
        system_call(SYS_EXIT, code, 0, 0);
}

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M'
static void reset(void)
{
    static const long console[3] = { (long)":tt", 4, 3 };
#ifdef __ARM_FP
    *(volatile u32 *)0xE000ED88 |= 0xF << 20;
    __asm__ volatile("dsb; isb" ::: "memory");
#endif
    semihosting(0x01, console);
    begin();
}
static void stuck(void) { for (;;) ; }
__attribute__((used, section(".vectors"))) static void (*const vectors[16])(void) =
    { (void (*)(void))0x20400000, reset, stuck, stuck, stuck, stuck, stuck };
#elif defined(__x86_64__)
__asm__(".global _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n");
#elif defined(__i386__)
__asm__(".global _start\n_start: xor %ebp, %ebp\n and $-16, %esp\n call begin\n");
#elif defined(__powerpc64__)
__asm__(".global _start\n_start: addis 2, 12, .TOC.-_start@ha\n addi 2, 2, .TOC.-_start@l\n li 0, 0\n stdu 0, -64(1)\n bl begin\n nop\n");
#elif defined(__powerpc__)
__asm__(".global _start\n_start: li 0, 0\n stwu 0, -16(1)\n bl begin\n");
#elif defined(__thumb__)
__asm__(".thumb\n.thumb_func\n.global _start\n_start: mov r0, sp\n bl begin\n");
#else
__asm__(".arm\n.global _start\n_start: mov fp, #0\n bl begin\n");
#endif
