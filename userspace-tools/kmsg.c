// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ioctl returns an errno; the sentence is in the kernel log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "ssesetup.h"

int kmsg_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int kmsg_explain(int mark, struct reason *why)
{
	size_t len = strlen(why->text);
	char line[1024];

	if (kmsg_last(mark, line, sizeof(line)))
		snprintf(why->text + len, sizeof(why->text) - len, "\nThe kernel says: %s", line);
	return why->rc;
}

void kmsg_close(int mark)
{
	if (mark >= 0)
		close(mark);
}

const char *kmsg_last(int mark, char *line, size_t size)
{
	static const char prefix[] = DMSSE_MODULE_NAME ": ";
	const char *found = NULL;
	char record[8192], *text;
	ssize_t len;

	if (mark < 0)
		return NULL;
	/* One record a read; EPIPE means that some were overwritten. */
	while ((len = read(mark, record, sizeof(record) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		record[len] = '\0';
		/* "priority,number,time,flags;text\n KEY=value\n" */
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = '\0';
		if (strncmp(text, prefix, strlen(prefix)))
			continue;
		snprintf(line, size, "%s", text + strlen(prefix));
		found = line;
	}
	close(mark);
	return found;
}
