/* Threads as Zephyr keeps them (with CONFIG_THREAD_MONITOR, THREAD_NAME and THREAD_STACK_INFO): structures with the published
   names and layout, and a switch that leaves registers where Zephyr's for Cortex-M does. Not Zephyr. */
#include "firmware.h"

#define STACK_WORDS 128
#define DEAD 8u
#define SUSPENDED 16u
#define PENDING 2u
#define QUEUED 128u

struct k_thread;

struct _thread_base {
    struct {
        struct k_thread *next, *previous;
    } qnode_dlist;
    void *pended_on;
    uint8_t user_options, thread_state;
    union {
        struct {
            int8_t prio;
            uint8_t sched_locked;
        };
        uint16_t preempt;
    };
};

struct _callee_saved {
    uint32_t v1, v2, v3, v4, v5, v6, v7, v8, psp;
};

struct k_thread {
    struct _thread_base base;
    struct _callee_saved callee_saved;
    void *init_data;
    struct {
        void (*pEntry)(void *, void *, void *);
        void *parameter1, *parameter2, *parameter3;
    } entry;
    struct k_thread *next_thread;
    char name[16];
    struct {
        uintptr_t start;
        size_t size, delta;
    } stack_info;
    struct {
        uint32_t basepri, swap_return_value;
        float preempt_float[16];
        union {
            uint32_t mode;
            struct {
                uint8_t mode_bits, mode_exc_return, reserved[2];
            };
        };
    } arch;
};

struct z_kernel {
    struct {
        uint32_t nested;
        void *irq_stack;
        struct k_thread *current, *idle_thread;
    } cpus[1];
    struct {
        struct k_thread *cache;
    } ready_q;
    struct k_thread *threads;
};

struct z_kernel _kernel;
static struct k_thread threads[5];
static uint32_t stacks[5][STACK_WORDS] __attribute__((aligned(8)));
static volatile float level = 0.25f;
static unsigned last;

uint32_t z_switch(uint32_t *saved, uint32_t psp);
void pendsv_handler(void);
void observe(void);

/* `saved`: R4 to R11 and EXC_RETURN, on the main stack. */
uint32_t z_switch(uint32_t *saved, uint32_t psp) {
    struct k_thread *from = _kernel.cpus[0].current;
    for (unsigned i = 0; i < 8; i++) (&from->callee_saved.v1)[i] = saved[i];
    from->callee_saved.psp = psp;
    from->arch.mode_exc_return = (uint8_t)saved[8];
#if __ARM_FP
    if (!(saved[8] & 16)) __asm__ volatile("vstm %0, {s16-s31}" : : "r"(from->arch.preempt_float) : "memory");
#endif
    do last = (last + 1) % 5;
    while (!(threads[last].base.thread_state & QUEUED));
    struct k_thread *to = _kernel.cpus[0].current = &threads[last];
    for (unsigned i = 0; i < 8; i++) saved[i] = (&to->callee_saved.v1)[i];
    saved[8] = 0xFFFFFF00 | to->arch.mode_exc_return;
#if __ARM_FP
    if (!(saved[8] & 16)) __asm__ volatile("vldm %0, {s16-s31}" : : "r"(to->arch.preempt_float) : "memory");
#endif
    return to->callee_saved.psp;
}

__attribute__((naked)) void pendsv_handler(void) {
    __asm__("push {r4-r11, lr}\n sub sp, #4\n add r0, sp, #4\n mrs r1, psp\n"
            "bl z_switch\n"
            "msr psp, r0\n add sp, #4\n pop {r4-r11, lr}\n bx lr\n");
}

__attribute__((noinline)) static void swap(void) {
    ICSR = ICSR_PENDSVSET;
    sync();
}

__attribute__((noinline)) static void leave_queue(uint8_t state) {
    _kernel.cpus[0].current->base.thread_state = state;
    swap();
}

static void sample(void *a, void *b, void *c) {
    (void)a, (void)b, (void)c;
    float next = level * 3.0f; /* from here on it has floating-point registers to be saved */
    for (;;) {
        leave_queue(PENDING);
        level = next;
    }
}

static void shell(void *a, void *b, void *c) {
    (void)a, (void)b, (void)c;
    for (;;) leave_queue(SUSPENDED);
}

static void worker(void *a, void *b, void *c) {
    (void)a, (void)b, (void)c;
    for (;;) swap();
}

static void once(void *a, void *b, void *c) {
    (void)a, (void)b, (void)c;
    for (;;) leave_queue(DEAD);
}

static void create(unsigned n, const char *name, int8_t priority, void (*entry)(void *, void *, void *)) {
    struct k_thread *thread = &threads[n];
    struct frame *frame = (struct frame *)(stacks[n] + STACK_WORDS) - 1;
    *frame = (struct frame){.pc = (uint32_t)entry & ~1u, .xpsr = 1u << 24};
    thread->callee_saved.psp = (uint32_t)frame;
    thread->base.thread_state = QUEUED;
    thread->base.prio = priority;
    thread->entry.pEntry = entry;
    for (unsigned i = 0; name[i]; i++) thread->name[i] = name[i];
    thread->stack_info.start = (uintptr_t)stacks[n];
    thread->stack_info.size = sizeof stacks[n];
    thread->arch.mode_exc_return = 0xFD;
    thread->next_thread = _kernel.threads;
    _kernel.threads = thread;
}

__attribute__((noinline)) void observe(void) { __asm__ volatile("" ::: "memory"); }

int main(void) {
    create(0, "main", 0, worker);
    create(1, "sample", -1, sample);
    create(2, "shell", 14, shell);
    create(3, "", 3, worker); /* without a name: called by its function */
    create(4, "once", 5, once);
    _kernel.cpus[0].current = &threads[0]; /* this, from here on */
    system_priority(PENDSV, 0xC0);
    WRITE_SPECIAL(psp, stacks[0] + STACK_WORDS);
    WRITE_SPECIAL(control, 2);
    for (unsigned i = 0; i < 3; i++) swap();
    observe();
    leave(0);
}
