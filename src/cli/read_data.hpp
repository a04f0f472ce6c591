// Data given on the command line: the text itself, @file, or - for standard input.
#pragma once

#include "cli/invocation.hpp"
#include "model/json.hpp"

#include <string>

namespace dyad::cli {

// Errors: invalid_field where it cannot be read, too_large beyond a request's body, and those of
// json::parse.
Result<json::Value> read_data(const std::string& argument);
// Shows what is wrong with data; the exit status.
int report_input(const Common& common, const Error& error);

}  // namespace dyad::cli
