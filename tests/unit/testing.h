/* cmocka with what it needs before it. */
#ifndef PL_TESTING_H
#define PL_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define RUN_TESTS(tests) cmocka_run_group_tests((tests), NULL, NULL)

#endif
