/*
 * Debian ships h2o/http2_internal.h but not the khash.h that it includes. The structs in there hold
 * such a table by pointer only; so these names are enough for their layout, and a call of what
 * would look into a table does not link.
 */
#ifndef PL_HTTP_COMPAT_KHASH_H
#define PL_HTTP_COMPAT_KHASH_H

typedef unsigned khiter_t;

khiter_t pl_khash_is_not_available(void);

#define khash_t(name) struct pl_khash_##name
#define KHASH_MAP_INIT_INT64(name, type) struct pl_khash_##name;
#define kh_get(name, table, key) pl_khash_is_not_available()
#define kh_end(table) pl_khash_is_not_available()
#define kh_val(table, at) ((void *)(long)(at))

#endif
