/* Echo through interrupts: bytes come and go through ring buffers while the main program sleeps. "quit" ends it. */
#include "serial.h"

static void say(const char *text) {
    while (*text) serial_write(*text++);
}

static void say_number(unsigned value) {
    if (value >= 10) say_number(value / 10);
    serial_write((char)('0' + value % 10));
}

static char next_byte(void) {
    char byte;
    for (;;) {
        irq_disable();
        bool there = serial_read(&byte);
        if (!there) wfi();
        irq_enable();
        if (there) return byte;
    }
}

int main(void) {
    static const char quit[] = "quit";
    unsigned count = 0, matched = 0;
    uart_interrupts();
    say("echo on " BOARD ", quit ends\r\n");
    for (bool running = true; running;) {
        char byte = next_byte();
        count++;
        if (byte == '\r') byte = '\n';
        if (byte == '\n') {
            running = matched != sizeof quit - 1;
            matched = 0;
            say("\r\n");
            continue;
        }
        matched = matched < sizeof quit - 1 && byte == quit[matched] ? matched + 1 : sizeof quit;
        serial_write(byte);
    }
    say("received ");
    say_number(count);
    say(", lost ");
    say_number(serial_lost());
    say("\r\n");
    serial_flush();
    return 0;
}
