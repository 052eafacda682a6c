/* What counting people costs at least: a plain path tracker on the same columns as Door.replay reads.
 *
 * As `PathTracking` behind `Debounced` in simulators/decoders.py: a change counts once it has lasted 8 ms, and the
 * states between clear and clear must be one beam, both, the other. It finds people one by one and knows nobody else.
 */

#include <stddef.h>
#include <stdint.h>

#define DEBOUNCE_NS 8000000
#define NEVER INT64_MAX
#define LENGTH_MAX 5

typedef struct {
    int64_t due_ns[2];
    int raw[2], level[2];
    int path[LENGTH_MAX], length;
} Tracker;

/* Take a line's change that has lasted; returns 1 in, -1 out, 0 nothing. */
static int settle(Tracker *tracker, int line)
{
    int beams, length = tracker->length;
    const int *path = tracker->path;

    tracker->due_ns[line] = NEVER;
    tracker->level[line] = tracker->raw[line];
    beams = tracker->level[0] + 2 * tracker->level[1];
    if (beams) {
        if (length < LENGTH_MAX)
            tracker->path[tracker->length++] = beams;
        return 0;
    }
    tracker->length = 0;
    if (length != 3 || path[1] != 3 || path[0] + path[2] != 3)
        return 0;
    return path[0] == 1 ? 1 : -1;
}

static size_t until(Tracker *tracker, int64_t now_ns, int64_t *found_ns, int8_t *found_way, size_t found)
{
    for (;;) {
        int line = tracker->due_ns[1] < tracker->due_ns[0];
        int64_t due_ns = tracker->due_ns[line];
        int way;

        if (due_ns == NEVER || due_ns > now_ns)
            return found;
        way = settle(tracker, line);
        if (way) {
            found_ns[found] = due_ns;
            found_way[found++] = (int8_t)way;
        }
    }
}

/* Passages of `count` edges into columns that have room for one each; returns how many there were. */
size_t track(size_t count, const int64_t *t_ns, const int8_t *line, const int8_t *level, int64_t *found_ns,
             int8_t *found_way)
{
    Tracker tracker = {{NEVER, NEVER}, {0, 0}, {0, 0}, {0}, 0};
    size_t edge, found = 0;

    for (edge = 0; edge < count; edge++) {
        int which = line[edge];

        found = until(&tracker, t_ns[edge], found_ns, found_way, found);
        tracker.raw[which] = level[edge];
        tracker.due_ns[which] = level[edge] != tracker.level[which] ? t_ns[edge] + DEBOUNCE_NS : NEVER;
    }
    return until(&tracker, NEVER, found_ns, found_way, found);
}
