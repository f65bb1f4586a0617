/* Firmware for the tests of RTT: a control block as SEGGER publishes its layout, an echo in capitals between two of its buffers. */
typedef unsigned u32;

struct ring {
    const char *name;
    char *buffer;
    u32 size;
    volatile u32 write, read;
    u32 flags;
};

struct control {
    char id[16];
    u32 ups, downs;
    struct ring up[2], down[1];
} _SEGGER_RTT;

static char up0[16], up1[64], down0[8];
extern char stack_end[];

static void put(struct ring *ring, char byte) {
    u32 next = (ring->write + 1) % ring->size;
    while (next == ring->read);
    ring->buffer[ring->write] = byte;
    ring->write = next;
}

static void say(struct ring *ring, const char *text) {
    while (*text) put(ring, *text++);
}

void reset(void) {
    struct control *c = &_SEGGER_RTT;
    const char *id = "SEGGER RTT";
    c->ups = 2;
    c->downs = 1;
    c->up[0] = (struct ring){"Terminal", up0, sizeof up0, 0, 0, 2};
    c->up[1] = (struct ring){"Log", up1, sizeof up1, 0, 0, 0};
    c->down[0] = (struct ring){"Terminal", down0, sizeof down0, 0, 0, 0};
    for (int i = 0; id[i]; i++) c->id[i] = id[i];
    say(&c->up[0], "hello over a buffer of sixteen bytes\r\n");
    say(&c->up[1], "the log\r\n");
    for (;;) {
        struct ring *in = &c->down[0];
        while (in->read == in->write);
        char byte = in->buffer[in->read];
        in->read = (in->read + 1) % in->size;
        put(&c->up[0], byte >= 'a' && byte <= 'z' ? byte - 32 : byte);
    }
}

__attribute__((section(".vectors"), used)) const void *vectors[] = {stack_end, reset};
