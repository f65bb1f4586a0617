/* A console on the polled UART: echoes what is typed and answers a few commands. */
#include "firmware.h"

#define LINE 64

static volatile uint32_t ticks;

void on_tick(void) { ticks++; }

static void read_line(char *line) {
    unsigned length = 0;
    for (;;) {
        char c = uart_get();
        if (c == '\r' || c == '\n') {
            line[length] = 0;
            print("\n");
            return;
        }
        if ((c == 8 || c == 127) && length) {
            length--;
            print("\b \b");
        } else if (c >= ' ' && c < 127 && length < LINE - 1) {
            line[length++] = c;
            uart_put(c);
        }
    }
}

static void fault(const char *kind) {
    if (same_text(kind, "undefined")) __asm__ volatile("udf #0");
    else if (same_text(kind, "bus")) print("read 0x%x\n", REG(HOLE));
    else if (same_text(kind, "state")) __asm__ volatile("bx %0" : : "r"(0));
    else if (same_text(kind, "fetch")) __asm__ volatile("bx %0" : : "r"(HOLE + 1));
    else if (same_text(kind, "svc")) __asm__ volatile("cpsid i\n svc #0"); /* cannot be taken: HardFault */
    else if (same_text(kind, "lockup")) __asm__ volatile("msr msp, %0\n udf #0" : : "r"(HOLE));
#if V7M
    else if (same_text(kind, "divide")) {
        CCR |= CCR_DIV_0_TRP;
        __asm__ volatile("sdiv r0, r0, %0" : : "r"(0) : "r0");
    }
#endif
    else print("fault undefined|bus|state|fetch|svc|lockup" "%s\n", V7M ? "|divide" : "");
}

static bool command(const char *line) {
    if (same_text(line, "help")) print("commands: help id uptime led on|off fault KIND exit\n");
    else if (same_text(line, "id")) print("cpuid 0x%08x\n", CPUID);
    else if (same_text(line, "uptime")) print("%u.%u s\n", ticks / 10, ticks % 10);
    else if (same_text(line, "led on")) led(true);
    else if (same_text(line, "led off")) led(false);
    else if (line[0] == 'f' && line[1] == 'a' && line[2] == 'u' && line[3] == 'l' && line[4] == 't')
        fault(line[5] ? line + 6 : "");
    else if (same_text(line, "exit")) return false;
    else if (*line) print("? %s\n", line);
    return true;
}

int main(void) {
    char line[LINE];
    print("xemu sample console on %s\n", BOARD);
    board_ticks(10);
    do {
        print("> ");
        read_line(line);
    } while (command(line));
    print("bye\n");
    return 0;
}
