/* From reset to main, text output, and the way out. */
#include "firmware.h"
#include <stdarg.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];
int main(void);

#define SYS_EXIT 0x18
#define SYS_EXIT_EXTENDED 0x20
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

void start(void);
void start(void) {
    const uint32_t *from = data_load;
    for (volatile uint32_t *to = data_start; to < (volatile uint32_t *)data_end; to++) *to = *from++;
    for (volatile uint32_t *to = bss_start; to < (volatile uint32_t *)bss_end; to++) *to = 0;
#if __ARM_FP
    CPACR |= 0xFu << 20;
    sync();
#endif
    board_init();
    leave(main());
}

static uintptr_t semihosting(uintptr_t operation, const void *parameter) {
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameter;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

_Noreturn void leave(int code) {
    const uint32_t block[] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};
    irq_disable();
    if (code == 0) semihosting(SYS_EXIT, (const void *)(uintptr_t)ADP_STOPPED_APPLICATION_EXIT);
    semihosting(SYS_EXIT_EXTENDED, block);
    for (;;) wfi();
}

static void put_number(uint32_t value, uint32_t base, int width, char fill) {
    char text[12];
    int length = 0;
    do {
        text[length++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    for (; width > length; width--) uart_put(fill);
    while (length) uart_put(text[--length]);
}

/* Understands %s %c %d %u %x %p with zero or space padding: what the samples need. */
void print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            if (*format == '\n') uart_put('\r');
            uart_put(*format);
            continue;
        }
        char fill = *++format == '0' ? '0' : ' ';
        int width = 0;
        for (; *format >= '0' && *format <= '9'; format++) width = width * 10 + *format - '0';
        if (*format == 'l') format++;
        switch (*format) {
        case 's':
            for (const char *text = va_arg(arguments, const char *); *text; text++) uart_put(*text);
            break;
        case 'c': uart_put((char)va_arg(arguments, int)); break;
        case 'u': put_number(va_arg(arguments, uint32_t), 10, width, fill); break;
        case 'x': put_number(va_arg(arguments, uint32_t), 16, width, fill); break;
        case 'd': {
            int32_t value = va_arg(arguments, int32_t);
            if (value < 0) uart_put('-');
            put_number(value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10, width, fill);
            break;
        }
        default: uart_put(*format);
        }
    }
    va_end(arguments);
}

bool same_text(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

__attribute__((weak)) void on_exception(uint32_t exc_return, struct frame *msp) {
    struct frame *frame = exc_return & 4 ? (struct frame *)(uintptr_t)READ_SPECIAL(psp) : msp;
    print("unexpected exception %u at pc 0x%08x lr 0x%08x", READ_SPECIAL(ipsr), frame->pc, frame->lr);
#if V7M
    print(" cfsr 0x%08x hfsr 0x%08x mmfar 0x%08x bfar 0x%08x", CFSR, HFSR, MMFAR, BFAR);
#endif
    print("\n");
    leave(1);
}

__attribute__((weak)) void on_tick(void) {}

/* The compiler may call these for initialisers and assignments. */
void *memset(void *to, int value, size_t size);
void *memset(void *to, int value, size_t size) {
    for (volatile char *p = to; size--;) *p++ = (char)value;
    return to;
}
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    const char *q = from;
    for (volatile char *p = to; size--;) *p++ = *q++;
    return to;
}
