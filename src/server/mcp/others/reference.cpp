// The nine tools of the reference memory server.
#include "base/text.hpp"
#include "import/graph.hpp"
#include "model/json_text.hpp"
#include "server/mcp/others/batch.hpp"
#include "server/mcp/others/given.hpp"
#include "server/mcp/others/others.hpp"
#include "server/mcp/others/reference_schemas.hpp"
#include "server/mcp/product/value.hpp"

#include <algorithm>
#include <set>

namespace dyad::server::mcp {
namespace {

using import::Entity;
using import::Relation;
using others::answer_with;
using others::Batch;
using others::command_of;
using others::Outcome;

struct Graph {
    std::vector<Entity> entities;
    std::vector<Relation> relations;
};

// In the order in which they came to be.
Graph graph_of(const core::Snapshot& state) {
    std::vector<ContextPtr> contexts = state.contexts;
    std::sort(contexts.begin(), contexts.end(), [](const ContextPtr& a, const ContextPtr& b) {
        return a->created_at_ms != b->created_at_ms ? a->created_at_ms < b->created_at_ms
                                                    : a->key < b->key;
    });
    Graph graph;
    for (const ContextPtr& context : contexts) {
        if (auto entity = import::entity_of(*context)) graph.entities.push_back(*std::move(entity));
        if (auto relation = import::relation_of(*context))
            graph.relations.push_back(*std::move(relation));
    }
    return graph;
}

void with_graph(Call& call, std::function<void(Call&, const Graph&)> go_on) {
    call.node().engine().snapshot(
        call.user(), call.then([go_on = std::move(go_on)](Call& to, const SnapshotPtr& state) {
            go_on(to, graph_of(*state));
        }));
}

void write(json::Writer& out, const Entity& entity) {
    out.object("name", entity.name, "entityType", entity.type, "observations", entity.observations);
}
void write(json::Writer& out, const Relation& relation) {
    out.object("from", relation.from, "to", relation.to, "relationType", relation.type);
}

template <class List>
std::string list_text(const List& list) {
    return json::written(1024, [&](json::Writer& out) {
        out.array(list, [&out](const auto& one) { write(out, one); });
    });
}

// {"NAME":LIST}, and the list alone as a text.
void answer_list(Call& call, std::string_view name, const std::string& list) {
    answer_with(call, others::indented(list), "{\"" + std::string(name) + "\":" + list + "}");
}

void answer_graph(Call& call, const Graph& graph) {
    const std::string text = "{\"entities\":" + list_text(graph.entities) +
                             ",\"relations\":" + list_text(graph.relations) + "}";
    answer_with(call, others::indented(text), text);
}

void answer_done(Call& call, std::string_view what) {
    const std::string message = std::string(what) + " deleted successfully";
    answer_with(call, message, json::written(128, [&](json::Writer& out) {
                    out.object("success", true, "message", message);
                }));
}

// Creates what is not there yet, and answers what that was.
template <class T>
void create(Call& call, std::string_view name, std::vector<T> wanted) {
    std::vector<Command> commands;
    for (const T& one : wanted) {
        Command command =
            command_of(call, PutContext{.key = import::key_of(one), .data = import::data_of(one)});
        command.conditions.none_match = VersionSet{.any = true, .versions = {}};
        commands.push_back(std::move(command));
    }
    const auto created = std::make_shared<std::vector<bool>>(wanted.size());
    Batch::run(
        call, std::move(commands),
        [created](std::size_t index, const Outcome& outcome) {
            (*created)[index] = std::holds_alternative<Reply>(outcome);
            return others::unless(outcome, Errc::version_conflict);
        },
        [created, name, wanted = std::move(wanted)](Call& to) {
            std::vector<T> done;
            for (std::size_t i = 0; i < wanted.size(); ++i)
                if ((*created)[i]) done.push_back(wanted[i]);
            answer_list(to, name, list_text(done));
        });
}

void create_entities(Call& call) {
    auto given = others::entities_of(call);
    if (!given) return call.failed(given.error());
    create(call, "entities", *std::move(given));
}

void create_relations(Call& call) {
    auto given = others::relations_of(call);
    if (!given) return call.failed(given.error());
    create(call, "relations", *std::move(given));
}

// Several changes of entities, and `end` when all are done.
struct Changes {
    std::size_t open = 0;
    std::optional<Error> failed;
    std::vector<std::vector<std::string>> added;  // by each
};
void change_entities(Call& call, const std::vector<others::Observations>& list, bool adds,
                     std::function<void(Call&, const Changes&)> end) {
    const auto changes = std::make_shared<Changes>();
    changes->open = list.size() + 1;
    changes->added.resize(list.size());
    const auto one_done = [changes, end = std::move(end),
                           call = call.shared_from_this()](const Status& status) {
        if (!status && !changes->failed) changes->failed = status.error();
        if (--changes->open > 0) return;
        changes->failed ? call->failed(*changes->failed) : end(*call, *changes);
    };
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto patch_of = [changes, i, adds,
                               one = list[i]](const ContextPtr& stored) -> Result<std::string> {
            auto entity = stored ? import::entity_of(*stored) : std::nullopt;
            if (!entity && !adds) return std::string();
            if (!entity)
                return fail(Errc::not_found, "Entity with name " + one.entity + " not found");
            auto& all = entity->observations;
            const std::size_t before = all.size();
            if (adds)
                changes->added[i] = import::add_observations(*entity, one.contents);
            else
                std::erase_if(all, [&one](const std::string& text) {
                    return std::find(one.contents.begin(), one.contents.end(), text) !=
                           one.contents.end();
                });
            if (all.size() == before) return std::string();
            return json::written(256, [&](json::Writer& out) { out.object("observations", all); });
        };
        others::change_context(call, import::entity_key(list[i].entity), patch_of, one_done);
    }
    one_done(Done{});
}

void add_observations(Call& call) {
    auto given = others::observations_of(call, "observations", "contents");
    if (!given) return call.failed(given.error());
    // All of them or none, as far as can be told before.
    with_graph(call, [given = *std::move(given)](Call& to, const Graph& graph) {
        std::set<std::string_view> names;
        for (const Entity& entity : graph.entities)
            names.insert(entity.name);
        for (const others::Observations& one : given)
            if (!names.contains(one.entity))
                return to.failed(
                    fail(Errc::not_found, "Entity with name " + one.entity + " not found"));
        change_entities(to, given, true, [given](Call& end, const Changes& changes) {
            std::string list = json::written(1024, [&](json::Writer& out) {
                std::size_t i = 0;
                out.array(given, [&](const others::Observations& one) {
                    out.object("entityName", one.entity, "addedObservations", changes.added[i++]);
                });
            });
            answer_list(end, "results", list);
        });
    });
}

void delete_observations(Call& call) {
    auto given = others::observations_of(call, "deletions", "observations");
    if (!given) return call.failed(given.error());
    change_entities(call, *given, false,
                    [](Call& to, const Changes&) { answer_done(to, "Observations"); });
}

void delete_keys(Call& call, const std::vector<std::string>& keys, std::string_view what) {
    std::vector<Command> commands;
    for (const std::string& key : keys)
        commands.push_back(command_of(call, DeleteContext{key}));
    Batch::run(
        call, std::move(commands),
        [](std::size_t, const Outcome& outcome) {
            return others::unless(outcome, Errc::not_found);
        },
        [what](Call& to) { answer_done(to, what); });
}

void delete_entities(Call& call) {
    auto given = others::names_of(call, "entityNames");
    if (!given) return call.failed(given.error());
    with_graph(call, [names = std::set<std::string>(given->begin(), given->end())](
                         Call& to, const Graph& graph) {
        std::vector<std::string> keys;
        for (const Relation& relation : graph.relations)
            if (names.contains(relation.from) || names.contains(relation.to))
                keys.push_back(import::key_of(relation));
        for (const Entity& entity : graph.entities)
            if (names.contains(entity.name)) keys.push_back(import::key_of(entity));
        delete_keys(to, keys, "Entities");
    });
}

void delete_relations(Call& call) {
    auto given = others::relations_of(call);
    if (!given) return call.failed(given.error());
    with_graph(call, [given = *std::move(given)](Call& to, const Graph& graph) {
        std::vector<std::string> keys;
        for (const Relation& relation : graph.relations)
            if (std::find(given.begin(), given.end(), relation) != given.end())
                keys.push_back(import::key_of(relation));
        delete_keys(to, keys, "Relations");
    });
}

// The entities that `wanted` names, and the relations that one of them has a part in.
template <class Wanted>
void answer_part(Call& call, Graph graph, const Wanted& wanted) {
    std::erase_if(graph.entities, [&](const Entity& entity) { return !wanted(entity); });
    std::set<std::string_view> names;
    for (const Entity& entity : graph.entities)
        names.insert(entity.name);
    std::erase_if(graph.relations, [&](const Relation& relation) {
        return !names.contains(relation.from) && !names.contains(relation.to);
    });
    answer_graph(call, graph);
}

void read_graph(Call& call) {
    with_graph(call, [](Call& to, const Graph& graph) { answer_graph(to, graph); });
}

void search_nodes(Call& call) {
    const auto given = others::text_of(call, "query");
    if (!given) return call.failed(given.error());
    with_graph(call, [query = to_lower(*given)](Call& to, const Graph& graph) {
        const auto has = [&query](const std::string& text) {
            return to_lower(text).find(query) != std::string::npos;
        };
        answer_part(to, graph, [&has](const Entity& entity) {
            return has(entity.name) || has(entity.type) ||
                   std::any_of(entity.observations.begin(), entity.observations.end(), has);
        });
    });
}

void open_nodes(Call& call) {
    const auto given = others::names_of(call, "names");
    if (!given) return call.failed(given.error());
    with_graph(call, [names = *given](Call& to, const Graph& graph) {
        answer_part(to, graph, [&names](const Entity& entity) {
            return std::find(names.begin(), names.end(), entity.name) != names.end();
        });
    });
}

void read_resource(Call& call) {
    with_graph(call, [](Call& to, const Graph& graph) {
        const std::string text =
            others::indented("{\"entities\":" + list_text(graph.entities) +
                             ",\"relations\":" + list_text(graph.relations) + "}");
        to.content(json::written(256, [&](json::Writer& out) {
            out.raw("\"contents\":[");
            out.object("uri", kGraphUri, "mimeType", "application/json", "text", text).raw("]");
        }));
    });
}

std::string changed_graph(const EventView& event) {
    const std::string_view scope = event.scope;
    const bool is_part = scope.starts_with("ctx:entity:") || scope.starts_with("ctx:relation:");
    return is_part ? std::string(kGraphUri) : std::string();
}

constexpr Tool kTools[] = {
    {"create_entities", "Create Entities", "Create multiple new entities in the knowledge graph",
     kEntitiesIn, kEntitiesOut, false, false, false, create_entities},
    {"create_relations", "Create Relations",
     "Create multiple new relations between entities in the knowledge graph. Relations should be "
     "in "
     "active voice",
     kRelationsIn, kRelationsOut, false, false, false, create_relations},
    {"add_observations", "Add Observations",
     "Add new observations to existing entities in the knowledge graph", kObservationsIn,
     kObservationsOut, false, false, false, add_observations},
    {"delete_entities", "Delete Entities",
     "Delete multiple entities and their associated relations from the knowledge graph",
     kEntityNamesIn, kSuccessOut, false, true, true, delete_entities},
    {"delete_observations", "Delete Observations",
     "Delete specific observations from entities in the knowledge graph", kDeletionsIn, kSuccessOut,
     false, true, true, delete_observations},
    {"delete_relations", "Delete Relations", "Delete multiple relations from the knowledge graph",
     kRelationsIn, kSuccessOut, false, true, true, delete_relations},
    {"read_graph", "Read Graph", "Read the entire knowledge graph", kNothingIn, kGraphOut, true,
     false, true, read_graph},
    {"search_nodes", "Search Nodes", "Search for nodes in the knowledge graph based on a query",
     kQueryIn, kGraphOut, true, false, true, search_nodes},
    {"open_nodes", "Open Nodes", "Open specific nodes in the knowledge graph by their names",
     kNamesIn, kGraphOut, true, false, true, open_nodes},
};
constexpr ResourceRow kResources[] = {
    {kGraphUri, "knowledge-graph", "Knowledge Graph",
     "The full knowledge graph with all entities and relations", "application/json", read_resource},
};

}  // namespace

const Registry& reference_registry() {
    static const Registry registry{.instructions = {},
                                   .tools = kTools,
                                   .resources = kResources,
                                   .prompts = {},
                                   .changed_resource = changed_graph};
    return registry;
}

}  // namespace dyad::server::mcp
