#include "server/mcp/others/given.hpp"

#include "import/members.hpp"
#include "model/json.hpp"

namespace dyad::server::mcp::others {
namespace {

using import::member;
using import::Object;
using import::text_in;
using import::texts_in;

Error named(std::string_view name, Errc code, std::string_view what) {
    return fail(code, std::string(name).append(": ").append(what));
}

Result<Object> arguments_of(const Call& call) {
    ASSIGN_OR_RETURN(json::Value value, json::parse(call.arguments()));
    if (!value.is_object()) return fail(Errc::invalid_field, "arguments: must be an object");
    return std::move(value.get_object());
}

// `read(object, path, out)` for each object of the array `list`.
template <class T, class Read>
Result<std::vector<T>> list_of(const Call& call, std::string_view list, Read read) {
    ASSIGN_OR_RETURN(const Object arguments, arguments_of(call));
    ASSIGN_OR_RETURN(const json::Value* const found, member(arguments, list));
    if (!found->is_array()) return named(list, Errc::invalid_field, "must be an array");
    std::vector<T> out;
    for (const json::Value& one : found->get_array()) {
        const std::string path = std::string(list) + "." + std::to_string(out.size());
        if (!one.is_object()) return named(path, Errc::invalid_field, "must be an object");
        TRY(read(one.get_object(), path + ".", out.emplace_back()));
    }
    return out;
}

}  // namespace

Result<std::vector<import::Entity>> entities_of(const Call& call) {
    const auto read = [](const Object& object, const std::string& path,
                         import::Entity& out) -> Status {
        ASSIGN_OR_RETURN(out.name, text_in(object, "name", path + "name"));
        ASSIGN_OR_RETURN(out.type, text_in(object, "entityType", path + "entityType"));
        ASSIGN_OR_RETURN(out.observations, texts_in(object, "observations", path + "observations"));
        return Done{};
    };
    return list_of<import::Entity>(call, "entities", read);
}

Result<std::vector<import::Relation>> relations_of(const Call& call) {
    const auto read = [](const Object& object, const std::string& path,
                         import::Relation& out) -> Status {
        ASSIGN_OR_RETURN(out.from, text_in(object, "from", path + "from"));
        ASSIGN_OR_RETURN(out.to, text_in(object, "to", path + "to"));
        ASSIGN_OR_RETURN(out.type, text_in(object, "relationType", path + "relationType"));
        return Done{};
    };
    return list_of<import::Relation>(call, "relations", read);
}

Result<std::vector<Observations>> observations_of(const Call& call, std::string_view list,
                                                  std::string_view texts) {
    const auto read = [texts](const Object& object, const std::string& path,
                              Observations& out) -> Status {
        ASSIGN_OR_RETURN(out.entity, text_in(object, "entityName", path + "entityName"));
        ASSIGN_OR_RETURN(out.contents, texts_in(object, texts, path + std::string(texts)));
        return Done{};
    };
    return list_of<Observations>(call, list, read);
}

Result<std::vector<std::string>> names_of(const Call& call, std::string_view argument) {
    ASSIGN_OR_RETURN(const Object arguments, arguments_of(call));
    return texts_in(arguments, argument);
}

Result<std::string> text_of(const Call& call, std::string_view argument) {
    ASSIGN_OR_RETURN(const Object arguments, arguments_of(call));
    return text_in(arguments, argument);
}

}  // namespace dyad::server::mcp::others
