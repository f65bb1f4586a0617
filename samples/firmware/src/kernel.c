/* A small preemptive kernel: three threads on their own stacks, round robin by the periodic interrupt, switches in PendSV,
   calls through SVC (yield, sleep, mutex, message queues). What is printed does not depend on when a switch happens.

   The tick and SVC have the same priority, so neither interrupts the other; PendSV is below both. */
#include "firmware.h"

#define THREADS 4 /* three and the idle thread */
#define STACK_WORDS 160
#define QUEUE_LENGTH 4u
#define MESSAGES 24u
#define ROUNDS 300u
#define TICK_HZ 1000

enum state { READY, SLEEPING, WAITING, DONE };
enum call { YIELD, SLEEP, LOCK, UNLOCK, SEND, RECEIVE, EXIT };

struct thread {
    uint32_t *sp; /* r4-r11, EXC_RETURN, then perhaps s16-s31, then the processor's frame */
    enum state state;
    uint32_t wake;
    void *object;      /* the mutex or queue it waits for */
    enum call reason;  /* with which call */
    uint32_t argument; /* the message that did not fit */
};

struct mutex {
    struct thread *owner;
};

struct queue {
    uint32_t items[QUEUE_LENGTH];
    unsigned first, count;
};

static struct thread threads[THREADS], *current;
static unsigned last; /* who ran last, the idle thread excepted */
static uint32_t stacks[THREADS][STACK_WORDS] __attribute__((aligned(8)));
static volatile uint32_t ticks, preemptions;

uint32_t *switch_stacks(uint32_t *sp);
void system_call(struct frame *frame);
void svc_handler(void);
void pendsv_handler(void);

static void reschedule(void) { ICSR = ICSR_PENDSVSET; }

/* ---- scheduling: all of this runs in handlers ---- */

static struct frame *frame_of(struct thread *thread) {
    uint32_t *sp = thread->sp;
    uint32_t exc_return = sp[8];
    sp += 9;
    if (!(exc_return & 16)) sp += 16; /* s16-s31 are between */
    return (struct frame *)sp;
}

uint32_t *switch_stacks(uint32_t *sp) {
    current->sp = sp;
    unsigned next = THREADS - 1; /* the idle thread, if nobody else can run */
    for (unsigned n = 1; n <= THREADS - 1; n++) {
        unsigned candidate = (last + n) % (THREADS - 1);
        if (threads[candidate].state == READY) {
            next = last = candidate;
            break;
        }
    }
    current = &threads[next];
    return current->sp;
}

void on_tick(void) {
    ticks++;
    for (struct thread *t = threads; t < threads + THREADS; t++)
        if (t->state == SLEEPING && (int32_t)(ticks - t->wake) >= 0) t->state = READY;
    if (current != &threads[THREADS - 1]) preemptions++;
    reschedule();
}

static struct thread *waiter(void *object, enum call reason) {
    for (struct thread *t = threads; t < threads + THREADS; t++)
        if (t->state == WAITING && t->object == object && t->reason == reason) return t;
    return NULL;
}

static void wait_for(void *object, enum call reason, uint32_t argument) {
    current->state = WAITING;
    current->object = object;
    current->reason = reason;
    current->argument = argument;
    reschedule();
}

static void queue_put(struct queue *queue, uint32_t value) {
    queue->items[(queue->first + queue->count++) % QUEUE_LENGTH] = value;
}

static uint32_t queue_take(struct queue *queue) {
    uint32_t value = queue->items[queue->first];
    queue->first = (queue->first + 1) % QUEUE_LENGTH;
    queue->count--;
    return value;
}

static void send(struct queue *queue, uint32_t value) {
    struct thread *receiver = waiter(queue, RECEIVE);
    if (receiver) {
        frame_of(receiver)->r0 = value;
        receiver->state = READY;
    } else if (queue->count < QUEUE_LENGTH) queue_put(queue, value);
    else wait_for(queue, SEND, value);
}

static void receive(struct queue *queue, struct frame *frame) {
    if (!queue->count) {
        wait_for(queue, RECEIVE, 0);
        return;
    }
    frame->r0 = queue_take(queue);
    struct thread *sender = waiter(queue, SEND);
    if (sender) {
        queue_put(queue, sender->argument);
        sender->state = READY;
    }
}

static void lock(struct mutex *mutex) {
    if (mutex->owner) wait_for(mutex, LOCK, 0);
    else mutex->owner = current;
}

static void unlock(struct mutex *mutex) {
    mutex->owner = waiter(mutex, LOCK);
    if (mutex->owner) mutex->owner->state = READY;
}

void system_call(struct frame *frame) {
    switch (*(uint8_t *)(uintptr_t)(frame->pc - 2)) {
    case YIELD: reschedule(); break;
    case SLEEP:
        current->state = SLEEPING;
        current->wake = ticks + frame->r0;
        reschedule();
        break;
    case LOCK: lock((struct mutex *)frame->r0); break;
    case UNLOCK: unlock((struct mutex *)frame->r0); break;
    case SEND: send((struct queue *)frame->r0, frame->r1); break;
    case RECEIVE: receive((struct queue *)frame->r0, frame); break;
    case EXIT:
        current->state = DONE;
        reschedule();
        break;
    default: leave(2);
    }
}

__attribute__((naked)) void svc_handler(void) {
    __asm__("mrs r0, psp\n"
            "ldr r1, =system_call\n"
            "bx r1\n");
}

#if V7M
__attribute__((naked)) void pendsv_handler(void) {
    __asm__("mrs r0, psp\n"
#if __ARM_FP
            "tst lr, #16\n"
            "it eq\n"
            "vstmdbeq r0!, {s16-s31}\n" /* makes the processor save s0-s15 as well */
#endif
            "stmdb r0!, {r4-r11, lr}\n"
            "bl switch_stacks\n"
            "ldmia r0!, {r4-r11, lr}\n"
#if __ARM_FP
            "tst lr, #16\n"
            "it eq\n"
            "vldmiaeq r0!, {s16-s31}\n"
#endif
            "msr psp, r0\n"
            "bx lr\n");
}
#else
__attribute__((naked)) void pendsv_handler(void) {
    __asm__("mrs r0, psp\n"
            "subs r0, #36\n"
            "mov r1, r0\n"
            "stmia r1!, {r4-r7}\n"
            "mov r4, r8\n mov r5, r9\n mov r6, r10\n mov r7, r11\n"
            "stmia r1!, {r4-r7}\n"
            "mov r4, lr\n"
            "stmia r1!, {r4}\n"
            "bl switch_stacks\n"
            "mov r1, r0\n"
            "adds r1, #16\n"
            "ldmia r1!, {r4-r7}\n"
            "mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n"
            "ldmia r1!, {r4}\n"
            "mov lr, r4\n"
            "msr psp, r1\n"
            "ldmia r0!, {r4-r7}\n"
            "bx lr\n");
}
#endif

/* ---- what threads call ---- */

/* The arguments are evaluated first: a call among them would destroy r0. */
#define CALL(number, a, b) ({                                                       \
    uint32_t a_ = (uint32_t)(a), b_ = (uint32_t)(b);                                \
    register uint32_t r0 __asm__("r0") = a_;                                        \
    register uint32_t r1 __asm__("r1") = b_;                                        \
    __asm__ volatile("svc %2" : "+r"(r0) : "r"(r1), "i"(number) : "memory");        \
    r0; })

static struct mutex counter_mutex;
static struct queue raw, cooked;
static volatile uint32_t counter, fp_errors;

/* Not atomic on purpose: without the mutex, a switch in the middle loses an increment. */
static void count(void) {
    for (unsigned i = 0; i < ROUNDS; i++) {
        CALL(LOCK, &counter_mutex, 0);
        uint32_t value = counter;
        for (volatile int delay = 0; delay < 20; delay++) {}
        counter = value + 1;
        CALL(UNLOCK, &counter_mutex, 0);
        if (i % 100 == 99) CALL(YIELD, 0, 0);
    }
}

#if __ARM_FP
/* Fills all FP registers with values of this thread, spins across switches, and looks whether they are still there. */
static void keep_fp(uint32_t seed) {
    uint32_t until = preemptions + 3, bad;
    __asm__ volatile("vmov s0, %1\n vmov.f32 s1, #1.0\n vcvt.f32.u32 s0, s0\n"
                     ".irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
                     "vadd.f32 s\\n, s0, s1\n vadd.f32 s0, s0, s1\n .endr\n"
                     "1: ldr %0, [%2]\n subs %0, %0, %3\n bmi 1b\n" /* until preempted three times */
                     "movs %0, #0\n vmov s0, %1\n vcvt.f32.u32 s0, s0\n"
                     ".irp n, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
                     "vadd.f32 s0, s0, s1\n vcmp.f32 s\\n, s0\n vmrs APSR_nzcv, fpscr\n it ne\n addne %0, #1\n .endr\n"
                     : "=&r"(bad)
                     : "r"(seed), "r"(&preemptions), "r"(until)
                     : "cc", "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",
                       "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30",
                       "s31");
    fp_errors += bad;
}
#else
static void keep_fp(uint32_t seed) {
    uint32_t until = preemptions + 3;
    (void)seed;
    while ((int32_t)(preemptions - until) < 0) {}
}
#endif

static void produce(void) {
    uint32_t value = 1;
    for (unsigned i = 0; i < MESSAGES; i++) {
        value = value * 1664525u + 1013904223u;
        CALL(SEND, &raw, value >> 16);
        if (i % 8 == 7) CALL(SLEEP, 2, 0);
    }
    keep_fp(1000);
    count();
}

static uint32_t cook(uint32_t value) {
#if __ARM_FP
    return (uint32_t)((float)value * 0.5f + 3.0f);
#else
    return value / 2 + 3;
#endif
}

static void work(void) {
    for (unsigned i = 0; i < MESSAGES; i++) CALL(SEND, &cooked, cook(CALL(RECEIVE, &raw, 0)));
    keep_fp(2000);
    count();
}

static uint32_t checksum;

static void consume(void) {
    for (unsigned i = 0; i < MESSAGES; i++) {
        uint32_t value = CALL(RECEIVE, &cooked, 0);
        checksum = (checksum << 5 | checksum >> 27) ^ value;
        print("message %u: %u\n", i, value);
    }
    keep_fp(3000);
    count();
}

static void produce_thread(void) { produce(); CALL(EXIT, 0, 0); }
static void work_thread(void) { work(); CALL(EXIT, 0, 0); }
static void consume_thread(void) { consume(); CALL(EXIT, 0, 0); }

static void finish(void) {
    print("counter %u of %u\n", counter, 3 * ROUNDS);
    print("fp errors %u\n", fp_errors);
    print("preempted %s\n", preemptions >= 3 ? "yes" : "no");
    print("checksum 0x%08x\n", checksum);
    leave(counter != 3 * ROUNDS || fp_errors || preemptions < 3);
}

_Noreturn static void idle_thread(void) {
    for (;;) {
        bool all = true;
        for (unsigned n = 0; n < THREADS - 1; n++) all = all && threads[n].state == DONE;
        if (all) finish();
        wfi();
    }
}

static void create(unsigned n, void (*entry)(void)) {
    struct frame *frame = (struct frame *)(stacks[n] + STACK_WORDS) - 1;
    *frame = (struct frame){.pc = (uint32_t)entry & ~1u, .xpsr = 1u << 24};
    threads[n].sp = (uint32_t *)frame - 9;
    threads[n].sp[8] = 0xFFFFFFFD; /* thread mode, process stack, no FP context */
}

int main(void) {
    print("kernel on %s\n", BOARD);
    create(0, produce_thread);
    create(1, work_thread);
    create(2, consume_thread);
    current = &threads[3];
    board_ticks_priority(0x40);
    system_priority(SVCALL, 0x40);
    system_priority(PENDSV, 0xC0);
    /* Become the idle thread: from here on the main stack belongs to handlers. */
    WRITE_SPECIAL(psp, stacks[3] + STACK_WORDS);
    WRITE_SPECIAL(control, 2);
    board_ticks(TICK_HZ);
    reschedule();
    isb();
    idle_thread();
}
