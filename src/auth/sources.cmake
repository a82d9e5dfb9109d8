# The most common passwords, as a C array.

set(common_passwords "${CMAKE_CURRENT_BINARY_DIR}/auth/common_passwords.c")
file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/auth")
add_custom_command(
  OUTPUT "${common_passwords}"
  COMMAND /usr/bin/python3 -B "${CMAKE_CURRENT_SOURCE_DIR}/auth/embed_common_passwords" "${common_passwords}"
  DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/auth/embed_common_passwords"
  COMMENT "Making the list of common passwords"
  VERBATIM)
list(APPEND layer_sources "${common_passwords}")
