// The arguments of the other servers' tools. As those servers do, members that are not known are
// passed over. Internal to the tools.
//
// Errors: missing_field, invalid_field, invalid_json, each naming the argument.
#pragma once

#include "import/graph.hpp"
#include "server/mcp/registry.hpp"

namespace dyad::server::mcp::others {

struct Observations {
    std::string entity;
    std::vector<std::string> contents;
};

Result<std::vector<import::Entity>> entities_of(const Call& call);
Result<std::vector<import::Relation>> relations_of(const Call& call);
// Of the argument `list`, an array of objects that have their texts in `texts`.
Result<std::vector<Observations>> observations_of(const Call& call, std::string_view list,
                                                  std::string_view texts);
Result<std::vector<std::string>> names_of(const Call& call, std::string_view argument);
Result<std::string> text_of(const Call& call, std::string_view argument);

}  // namespace dyad::server::mcp::others
