// The schemas of the reference memory server's tools, as it lists them. Internal to them.
#pragma once

#include <string_view>

namespace dyad::server::mcp {

inline constexpr std::string_view kGraphUri = "memory://knowledge-graph";

#define DYAD_OBJECT(properties, required) \
    R"({"type":"object","properties":{)" properties R"(},"required":[)" required R"(]})"
#define DYAD_TEXTS(name, says) \
    "\"" name R"(":{"type":"array","items":{"type":"string"},"description":")" says "\"}"
#define DYAD_TEXT(name, says) "\"" name R"(":{"type":"string","description":")" says "\"}"
#define DYAD_LIST(name, item) "\"" name R"(":{"type":"array","items":)" item "}"

#define DYAD_ENTITY                                                                              \
    DYAD_OBJECT(DYAD_TEXT("name", "The name of the entity") "," DYAD_TEXT(                       \
                    "entityType",                                                                \
                    "The type of the entity") "," DYAD_TEXTS("observations",                     \
                                                             "An array of observation contents " \
                                                             "associated with the entity"),      \
                R"("name","entityType","observations")")
#define DYAD_RELATION                                                                              \
    DYAD_OBJECT(                                                                                   \
        DYAD_TEXT("from", "The name of the entity where the relation starts") "," DYAD_TEXT(       \
            "to", "The name of the entity where the relation ends") "," DYAD_TEXT("relationType",  \
                                                                                  "The type of "   \
                                                                                  "the relation"), \
        R"("from","to","relationType")")

inline constexpr std::string_view kEntitiesIn =
    DYAD_OBJECT(DYAD_LIST("entities", DYAD_ENTITY), "\"entities\"");
inline constexpr std::string_view kEntitiesOut = kEntitiesIn;
inline constexpr std::string_view kRelationsIn =
    DYAD_OBJECT(DYAD_LIST("relations", DYAD_RELATION), "\"relations\"");
inline constexpr std::string_view kRelationsOut = kRelationsIn;
inline constexpr std::string_view kObservationsIn =
    DYAD_OBJECT(DYAD_LIST("observations",
                          DYAD_OBJECT(DYAD_TEXT("entityName",
                                                "The name of the entity to add the observations "
                                                "to") "," DYAD_TEXTS("contents",
                                                                     "An array of observation "
                                                                     "contents to add"),
                                      R"("entityName","contents")")),
                "\"observations\"");
inline constexpr std::string_view kObservationsOut =
    DYAD_OBJECT(DYAD_LIST("results", DYAD_OBJECT(R"("entityName":{"type":"string"},)"
                                                 R"("addedObservations":{"type":"array","items":)"
                                                 R"({"type":"string"}})",
                                                 R"("entityName","addedObservations")")),
                "\"results\"");
inline constexpr std::string_view kEntityNamesIn =
    DYAD_OBJECT(DYAD_TEXTS("entityNames", "An array of entity names to delete"), "\"entityNames\"");
inline constexpr std::string_view kDeletionsIn = DYAD_OBJECT(
    DYAD_LIST(
        "deletions",
        DYAD_OBJECT(DYAD_TEXT("entityName",
                              "The name of the entity containing the "
                              "observations") "," DYAD_TEXTS("observations",
                                                             "An array of observations to delete"),
                    R"("entityName","observations")")),
    "\"deletions\"");
inline constexpr std::string_view kSuccessOut = DYAD_OBJECT(
    R"("success":{"type":"boolean"},"message":{"type":"string"})", R"("success","message")");
inline constexpr std::string_view kNothingIn = R"({"type":"object","properties":{}})";
inline constexpr std::string_view kGraphOut =
    DYAD_OBJECT(DYAD_LIST("entities", DYAD_ENTITY) "," DYAD_LIST("relations", DYAD_RELATION),
                R"("entities","relations")");
inline constexpr std::string_view kQueryIn =
    DYAD_OBJECT(DYAD_TEXT("query",
                          "The search query to match against entity names, types, and "
                          "observation content"),
                "\"query\"");
inline constexpr std::string_view kNamesIn =
    DYAD_OBJECT(DYAD_TEXTS("names", "An array of entity names to retrieve"), "\"names\"");

#undef DYAD_OBJECT
#undef DYAD_TEXTS
#undef DYAD_TEXT
#undef DYAD_LIST
#undef DYAD_ENTITY
#undef DYAD_RELATION

}  // namespace dyad::server::mcp
