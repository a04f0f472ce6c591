// What the two halves of documents.hpp, writing and looking, have in common. Internal to them.
#pragma once

#include "store/documents.hpp"
#include "store/mongo/bson/bson.hpp"

#include <string>
#include <string_view>

namespace dyad::mongo {

inline constexpr std::string_view kLogScope = "distributed_memory";

// Errors: those of context_of().
Result<ForeignDocument> foreign_document(const std::string& user_id, BsonView document);

}  // namespace dyad::mongo
