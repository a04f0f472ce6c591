// The knowledge graph of the MCP reference memory server as contexts: one for each entity, so that
// writers of two entities never meet, and one for each relation.
//
//     entity:NAME                {"entityType":…,"name":…,"observations":[…]}
//     relation:FROM/TYPE/TO      {"from":…,"relationType":…,"to":…}
//
// `/` and `%` in the parts of a relation's key are percent-encoded. A name that no key can carry
// (it is too long, or has control characters) stands there by its hash: `entity:#<64 hex>`.
//
// Threads: pure functions.
#pragma once

#include "model/context.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::import {

struct Entity {
    std::string name;
    std::string type;
    std::vector<std::string> observations;
};
struct Relation {
    std::string from;
    std::string to;
    std::string type;

    bool operator==(const Relation&) const = default;
};

inline constexpr std::string_view kEntityPrefix = "entity:";
inline constexpr std::string_view kRelationPrefix = "relation:";

std::string key_of(const Entity& entity);
std::string entity_key(std::string_view name);
std::string key_of(const Relation& relation);
// Canonical JSON.
std::string data_of(const Entity& entity);
std::string data_of(const Relation& relation);

// Nothing where it is none: somebody else may write under these keys.
std::optional<Entity> entity_of(const Context& context);
std::optional<Relation> relation_of(const Context& context);

// Adds those that are not there yet; which they were.
std::vector<std::string> add_observations(Entity& entity, const std::vector<std::string>& more);

}  // namespace dyad::import
