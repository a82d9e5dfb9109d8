# Compiler and linker flags for every target, as the interface library parley-options.
#
# Warnings are errors. The hardening flags are those of the OpenSSF guide that GCC 12 accepts. Asserts
# stay on in every build, so NDEBUG is never defined.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")

find_program(PARLEY_CCACHE ccache)
mark_as_advanced(PARLEY_CCACHE)
if(PARLEY_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${PARLEY_CCACHE}")
endif()

add_library(parley-options INTERFACE)
target_include_directories(parley-options INTERFACE "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(parley-options INTERFACE
  _GNU_SOURCE
  PL_VERSION="${PROJECT_VERSION}"
  PL_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
  PL_INSTALL_DATA_DIR="${CMAKE_INSTALL_FULL_DATADIR}/parley")

target_compile_options(parley-options INTERFACE
  -Wall -Wextra -Werror
  -Wformat=2 -Wconversion -Wimplicit-fallthrough -Wshadow -Wpointer-arith
  -Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations -Wold-style-definition
  -Wundef -Wvla -Wwrite-strings
  -Werror=format-security -Werror=implicit -Werror=int-conversion
  -Werror=incompatible-pointer-types
  -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fno-common
  -fexceptions -fno-omit-frame-pointer
  -fstack-protector-strong)
target_link_options(parley-options INTERFACE
  -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen -Wl,--as-needed)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_link_libraries(parley-options INTERFACE Threads::Threads)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(parley-options INTERFACE
    -Wbidi-chars=any -Wtrampolines -Wduplicated-cond -Wlogical-op
    -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero)
else()
  # clang's groups of these names contain more warnings than gcc's.
  target_compile_options(parley-options INTERFACE
    -Wno-sign-conversion -Wno-format-nonliteral -Wno-string-concatenation)
endif()

# The executables are position independent; gcc and clang also need the flag when they link.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

if(PARLEY_SANITIZE STREQUAL "address")
  set(parley_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(PARLEY_SANITIZE STREQUAL "thread")
  set(parley_sanitize -fsanitize=thread)
elseif(PARLEY_SANITIZE STREQUAL "")
  set(parley_sanitize)
else()
  message(FATAL_ERROR "PARLEY_SANITIZE is '${PARLEY_SANITIZE}': use address, thread or nothing")
endif()

if(PARLEY_FUZZ AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
  # Coverage for libFuzzer in every layer; its main() comes with the harnesses alone.
  target_compile_options(parley-options INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(parley_sanitize)
  target_compile_options(parley-options INTERFACE ${parley_sanitize})
  target_link_options(parley-options INTERFACE ${parley_sanitize})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Fortify needs optimisation, and it hides errors from the sanitizers' interceptors.
  target_compile_options(parley-options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
