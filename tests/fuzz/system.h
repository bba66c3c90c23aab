/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/fuzz/system.h - the world that the system fuzzer's actions act on. */
#ifndef TESTS_FUZZ_SYSTEM_H
#define TESTS_FUZZ_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "tests/lib/procdom.h"
#include "tests/lib/stack.h"

#define SYSTEM_DOMID  3u
#define SYSTEM_SECOND UINT64_C(1000000000)
#define SYSTEM_STEP_S 60u /* an action that takes longer is a hang */
#define SYSTEM_WAIT_MS \
	60000 /* for a daemon that a script has killed, or the like */

/** struct system_key - A node of a device and its value. */
struct system_key {
	const char *name, *value;
};

/**
 * struct system_dev - One device of the domain that attacks.
 * @program:  Its worker.
 * @fe, @be:  Directories; @dir is @fe as the guest names it.
 * @fe_keys, @be_keys: What the toolstack writes, beside what each device has.
 * @lies:     Keys that a frontend should not rewrite.
 * @bells:    Keys of event channels.
 * @slot:     Bytes of a request in its rings, @slots: how many of these.
 * @join:     Connect as @want says, for the first time or, if @watched, again.
 * @stop:     Disconnect.  Return: as front_stop().
 * @abandon:  Forget the device as it is; a new kernel's @join follows.
 * @drop:     Free what was abandoned.
 * @nqueues:  Queues of the connection that there is, or was last.
 * @ring_key: The key of one of a queue's rings.
 * @bend:     Make a request of any bytes look a little more like one.
 * @verify:   What is asked for must be done, and right.
 * @watched:  The guest has opened it.
 * @clean:    Nothing was done to it since it was connected.
 * @lied:     A state was written that was not true.
 * @worker:   Its process.
 */
struct system_dev {
	const char *program, *fe, *be, *dir;
	const struct system_key *fe_keys, *be_keys;
	const char *const *lies, *const *bells;
	unsigned int slot, slots;
	int (*join)(uint64_t want, bool again);
	int (*stop)(void);
	void (*abandon)(void);
	void (*drop)(void);
	unsigned int (*nqueues)(void);
	const char *(*ring_key)(uint64_t a);
	void (*bend)(uint8_t *slot, uint64_t a);
	void (*verify)(uint64_t a, uint64_t b);
	bool watched, clean, lied;
	pid_t worker;
};

extern struct system_dev system_disk, system_card;

/** system_disk_init(), system_card_init() - Make what lies in guest memory. */
void system_disk_init(void);
void system_card_init(void);

/** system_disk_fini() - Remove the image. */
void system_disk_fini(void);

/* Actions that only one of them has. */
void system_disk_submit(struct system_dev *d, uint64_t a, uint64_t b);
void system_disk_reap(struct system_dev *d, uint64_t a, uint64_t b);
void system_card_send(struct system_dev *d, uint64_t a, uint64_t b);
void system_card_receive(struct system_dev *d, uint64_t a, uint64_t b);
void system_card_host(struct system_dev *d, uint64_t a, uint64_t b);

/**
 * system_console_init() - Use the console's ring.
 *
 * It has no frontend that connects: its page is there from the first moment.
 */
void system_console_init(struct stack *s, struct fakedom *dom);

/**
 * system_console_end() - sv-console ends; system_console_wait() for the next one.
 * @at_once: Here, without notice; else by its parent's death, which follows, unless
 *           the ring has to be put in order first.
 */
void system_console_end(bool at_once);
void system_console_wait(void);

/** system_console_look() - It must be the process that it was. */
void system_console_look(void);

/** system_console_serves() - What is printed goes to the log, store or not. */
void system_console_serves(void);

/** system_console_restore() - It must work again, whatever was done to it. */
void system_console_restore(void);

/* Actions; they have no device. */
void system_console_print(struct system_dev *d, uint64_t a, uint64_t b);
void system_console_type(struct system_dev *d, uint64_t a, uint64_t b);
void system_console_index(struct system_dev *d, uint64_t a, uint64_t b);
void system_console_noise(struct system_dev *d, uint64_t a, uint64_t b);
void system_console_storm(struct system_dev *d, uint64_t a, uint64_t b);
void system_console_kill(struct system_dev *d, uint64_t a, uint64_t b);

/** system_scribble() - Change 64 of a page's words, as @seed says. */
void system_scribble(uint32_t *page, uint64_t seed);

/** system_leave() - The end of a run, here and now. */
_Noreturn void system_leave(int status);

/** MUST() - What holds in every run; the message says what did not. */
#define MUST(cond, ...)                               \
	do {                                          \
		if (!(cond)) {                        \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr);          \
			system_leave(1);              \
		}                                     \
	} while (0)

#endif
