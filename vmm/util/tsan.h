/*
 * For what several threads may read and write at once by design, pixels above all: between these two
 * the thread sanitizer does not look.  (A report that is suppressed takes long, and there would be
 * one for each row.)  Nothing in other builds.
 */
#pragma once

#ifdef __SANITIZE_THREAD__
void AnnotateIgnoreWritesBegin(const char *file, int line);     /* reads too */
void AnnotateIgnoreWritesEnd(const char *file, int line);
#define TSAN_IGNORE_BEGIN   AnnotateIgnoreWritesBegin(__FILE__, __LINE__)
#define TSAN_IGNORE_END     AnnotateIgnoreWritesEnd(__FILE__, __LINE__)
#else
#define TSAN_IGNORE_BEGIN   ((void)0)
#define TSAN_IGNORE_END     ((void)0)
#endif
