/* A weather station with a bug to find: it runs for a while, then it crashes, long after the mistake was made. */
#include "firmware.h"

#define SENSORS 3u
#define TICKS 60u

struct sensor {
    char name[8];
    int32_t (*read)(const struct sensor *sensor);
    int32_t offset;
};

static volatile uint32_t ticks;
static uint32_t noise = 1;

static int32_t random_below(uint32_t limit) {
    noise = noise * 1664525u + 1013904223u;
    return (int32_t)((noise >> 16) % limit);
}

static int32_t read_temperature(const struct sensor *sensor) { return 200 + sensor->offset + random_below(50); }
static int32_t read_humidity(const struct sensor *sensor) { return 550 + sensor->offset + random_below(100); }

static struct sensor sensors[SENSORS] = {
    {"roof", read_temperature, -15},
    {"room", read_temperature, 3},
    {"cellar", read_humidity, 40},
};

/* What somebody types at the station, and when. */
static const struct {
    uint32_t tick, sensor;
    const char *name;
} renames[] = {{7, 0, "tower"}, {24, 1, "greenhouse 2"}, {31, 2, "garage"}};

static void rename(struct sensor *sensor, const char *name) {
    char *to = sensor->name;
    while ((*to++ = *name++)) {
    }
}

static void commands(uint32_t now) {
    for (unsigned i = 0; i < sizeof renames / sizeof renames[0]; i++)
        if (renames[i].tick == now) {
            rename(&sensors[renames[i].sensor], renames[i].name);
            print("%u: sensor %u has a new name\n", now, renames[i].sensor);
        }
}

static void measure(uint32_t now) {
    for (struct sensor *sensor = sensors; sensor < sensors + SENSORS; sensor++) {
        int32_t value = sensor->read(sensor);
        print("%u: %s %d\n", now, sensor->name, value);
    }
}

void on_tick(void) { ticks++; }

int main(void) {
    print("weather station on %s\n", BOARD);
    board_ticks(1000);
    for (uint32_t now = 0; now < TICKS;) {
        irq_disable(); /* no tick may come between the test and WFI; a pending one wakes it all the same */
        if (ticks == now) wfi();
        irq_enable();
        while (now < ticks && now < TICKS) {
            commands(++now);
            if (now % 10 == 0) measure(now);
        }
    }
    print("done\n");
    return 0;
}
