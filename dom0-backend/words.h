/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dom0-backend/words.h - "word=value word=value", as a device's keys have it. */
#ifndef DOM0_BACKEND_WORDS_H
#define DOM0_BACKEND_WORDS_H

#include "base/util.h"

#define WORDS_MAX 256 /* bytes of such a text, with its NUL */

/**
 * words_each() - Call a function for each of the words of a text.
 * @take:  Its word and value, which it may change; 0, or what ends it all.
 *
 * Return: 0; -EINVAL if a word has no value or the text is too long; or what @take
 * returned.
 */
int words_each(const char *text,
	       int (*take)(const char *word, char *value, void *arg),
	       void *arg) must_check;

/** words_cut() - "A/B" at the slash; Return: B, NULL without a slash. */
char *words_cut(char *text);

#endif
