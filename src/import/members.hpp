// Members of the objects that other memories write, in files and as arguments of their tools.
// `path`: what errors call the member, where that is not its name. null is its absence. Errors:
// missing_field, invalid_field.
#pragma once

#include "base/result.hpp"
#include "model/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dyad::import {

using Object = boost::json::object;

// Nothing where it is absent.
const json::Value* find(const Object& object, std::string_view name);
Result<const json::Value*> member(const Object& object, std::string_view name,
                                  std::string_view path = {});
Result<std::string> text_in(const Object& object, std::string_view name,
                            std::string_view path = {});
Result<std::vector<std::string>> texts_in(const Object& object, std::string_view name,
                                          std::string_view path = {});

}  // namespace dyad::import
