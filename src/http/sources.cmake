# What the server serves about itself: openapi.json and docs.html, made of the document in openapi/, as a C array.

set(openapi_source "${PROJECT_SOURCE_DIR}/openapi")
set(openapi_out "${CMAKE_CURRENT_BINARY_DIR}/openapi")
set(embedded "${CMAKE_CURRENT_BINARY_DIR}/http/embedded.c")
file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/http")
file(GLOB openapi_inputs CONFIGURE_DEPENDS
  "${openapi_source}/build" "${openapi_source}/*.py" "${openapi_source}/*.css" "${openapi_source}/parley.yaml"
  "${openapi_source}/resources/*.yaml" "${openapi_source}/shared/*.yaml")

add_custom_command(
  OUTPUT "${openapi_out}/openapi.json" "${openapi_out}/docs.html"
  COMMAND /usr/bin/python3 -B "${openapi_source}/build" "${openapi_out}"
  DEPENDS ${openapi_inputs}
  COMMENT "Making openapi.json and docs.html"
  VERBATIM)
add_custom_command(
  OUTPUT "${embedded}"
  COMMAND /usr/bin/python3 -B "${CMAKE_CURRENT_SOURCE_DIR}/http/embed" "${openapi_out}" "${embedded}"
  DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/http/embed" "${openapi_out}/openapi.json" "${openapi_out}/docs.html"
  VERBATIM)
list(APPEND layer_sources "${embedded}")

# The one file that needs libh2o's internal header.
set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/http/http2_reset.c"
  PROPERTIES INCLUDE_DIRECTORIES "${CMAKE_CURRENT_SOURCE_DIR}/http/compat")
