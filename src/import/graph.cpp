#include "import/graph.hpp"

#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "import/members.hpp"
#include "model/identity.hpp"
#include "model/json.hpp"
#include "model/json_text.hpp"

#include <algorithm>

namespace dyad::import {
namespace {

std::string checked(std::string key, std::string_view prefix) {
    if (check_name("key", key, limits::context_key_bytes_max, NameRule::label)) return key;
    return std::string(prefix).append("#").append(to_hex(sha256({key})));
}

std::string escaped(std::string_view part) {
    std::string out;
    for (const char c : part)
        c == '/' ? out.append("%2F") : c == '%' ? out.append("%25") : out.append(1, c);
    return out;
}

// The data of a context below `prefix`.
std::optional<json::Value> data_below(const Context& context, std::string_view prefix) {
    if (context.deleted || !context.key.starts_with(prefix)) return std::nullopt;
    Result<json::Value> data = json::parse(context.data);
    if (!data || !data->is_object()) return std::nullopt;
    return *std::move(data);
}

}  // namespace

std::string entity_key(std::string_view name) {
    return checked(std::string(kEntityPrefix).append(name), kEntityPrefix);
}

std::string key_of(const Entity& entity) {
    return entity_key(entity.name);
}

std::string key_of(const Relation& relation) {
    return checked(std::string(kRelationPrefix) + escaped(relation.from) + "/" +
                       escaped(relation.type) + "/" + escaped(relation.to),
                   kRelationPrefix);
}

std::string data_of(const Entity& entity) {
    return json::written(256, [&](json::Writer& out) {
        out.object("entityType", entity.type, "name", entity.name, "observations",
                   entity.observations);
    });
}

std::string data_of(const Relation& relation) {
    return json::written(256, [&](json::Writer& out) {
        out.object("from", relation.from, "relationType", relation.type, "to", relation.to);
    });
}

std::optional<Entity> entity_of(const Context& context) {
    const auto data = data_below(context, kEntityPrefix);
    if (!data) return std::nullopt;
    const Object& object = data->get_object();
    const auto name = text_in(object, "name"), type = text_in(object, "entityType");
    const json::Value* const list = object.if_contains("observations");
    if (!name || !type || list == nullptr || !list->is_array()) return std::nullopt;
    Entity entity{*name, *type, {}};
    for (const json::Value& one : list->get_array())
        if (one.is_string()) entity.observations.emplace_back(one.get_string());
    return entity;
}

std::optional<Relation> relation_of(const Context& context) {
    const auto data = data_below(context, kRelationPrefix);
    if (!data) return std::nullopt;
    const Object& object = data->get_object();
    const auto from = text_in(object, "from"), to = text_in(object, "to"),
               type = text_in(object, "relationType");
    if (!from || !to || !type) return std::nullopt;
    return Relation{*from, *to, *type};
}

std::vector<std::string> add_observations(Entity& entity, const std::vector<std::string>& more) {
    std::vector<std::string> added;
    auto& all = entity.observations;
    // As the reference server has it: what was there before is left out, what stands twice in
    // `more` is not.
    for (const std::string& one : more)
        if (std::find(all.begin(), all.end(), one) == all.end()) added.push_back(one);
    all.insert(all.end(), added.begin(), added.end());
    return added;
}

}  // namespace dyad::import
