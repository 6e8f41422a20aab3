window.YTD.tweets.part0 = [
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "2036502084642032169"
          ],
          "editableUntil" : "2026-03-24T18:55:08.146Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "95"
      ],
      "favorite_count" : "0",
      "id_str" : "2036502084642032169",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "2036502084642032169",
      "created_at" : "Tue Mar 24 17:55:08 +0000 2026",
      "favorited" : false,
      "full_text" : "Capacity planning in one line: find out what happens at 2× &amp; decide today whether you mind.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1999027233063550450"
          ],
          "editableUntil" : "2025-12-11T09:03:27.194Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "66"
      ],
      "favorite_count" : "14",
      "id_str" : "1999027233063550450",
      "truncated" : false,
      "retweet_count" : "5",
      "id" : "1999027233063550450",
      "created_at" : "Thu Dec 11 08:03:27 +0000 2025",
      "favorited" : false,
      "full_text" : "The nicest thing said of my code this year: \"I did not notice it.\"",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1980571825737900509"
          ],
          "editableUntil" : "2025-10-21T10:48:15.644Z",
          "editsRemaining" : "5",
          "isEditEligible" : false
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [
          {
            "name" : "Storage Weekly",
            "screen_name" : "storageweekly",
            "indices" : [
              "3",
              "17"
            ],
            "id_str" : "3311890274",
            "id" : "3311890274"
          }
        ],
        "urls" : [
          {
            "url" : "https://t.co/zUW013NtP6",
            "expanded_url" : "https://storageweekly.example/issues/212",
            "display_url" : "storageweekly.example/issu…",
            "indices" : [
              "129",
              "152"
            ]
          }
        ]
      },
      "display_text_range" : [
        "0",
        "152"
      ],
      "favorite_count" : "0",
      "id_str" : "1980571825737900509",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1980571825737900509",
      "possibly_sensitive" : false,
      "created_at" : "Tue Oct 21 09:48:15 +0000 2025",
      "favorited" : false,
      "full_text" : "RT @storageweekly: This week: SMR drives &amp; the art of waiting, three papers on erasure coding, and one very small filesystem https://t.co/zUW013NtP6",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1973060416661607082"
          ],
          "editableUntil" : "2025-09-30T17:20:35.757Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [
          {
            "url" : "https://t.co/S8dq83a4Yw",
            "expanded_url" : "https://oduya.example/talks/append-only",
            "display_url" : "oduya.example/talks/append…",
            "indices" : [
              "133",
              "156"
            ]
          }
        ]
      },
      "display_text_range" : [
        "0",
        "156"
      ],
      "favorite_count" : "14",
      "id_str" : "1973060416661607082",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1973060416661607082",
      "possibly_sensitive" : false,
      "created_at" : "Tue Sep 30 16:20:35 +0000 2025",
      "favorited" : false,
      "full_text" : "New slides on log-structured storage for people who keep bees, boats, or books: what to append, when to compact, what to throw away. https://t.co/S8dq83a4Yw",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1947561972802776428"
          ],
          "editableUntil" : "2025-07-22T08:38:52.404Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "110"
      ],
      "favorite_count" : "2",
      "id_str" : "1947561972802776428",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1947561972802776428",
      "created_at" : "Tue Jul 22 07:38:52 +0000 2025",
      "favorited" : false,
      "full_text" : "A leap second, a full disk and an expired certificate walk into a bar. The bar had monitoring for two of them.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1927341318120253062"
          ],
          "editableUntil" : "2025-05-27T13:29:13.761Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "94"
      ],
      "favorite_count" : "57",
      "id_str" : "1927341318120253062",
      "truncated" : false,
      "retweet_count" : "5",
      "id" : "1927341318120253062",
      "created_at" : "Tue May 27 12:29:13 +0000 2025",
      "favorited" : false,
      "full_text" : "if (retries &gt; 3 &amp;&amp; queue_depth &gt; limit) is how you spell \"please make it worse\".",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1897214585908858232"
          ],
          "editableUntil" : "2025-03-05T10:16:20.762Z",
          "editsRemaining" : "5",
          "isEditEligible" : false
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "143"
      ],
      "favorite_count" : "4",
      "in_reply_to_status_id_str" : "1897213680396629337",
      "id_str" : "1897214585908858232",
      "in_reply_to_user_id" : "1180422764410593280",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1897214585908858232",
      "in_reply_to_status_id" : "1897213680396629337",
      "created_at" : "Wed Mar 05 09:16:20 +0000 2025",
      "favorited" : false,
      "full_text" : "Of those 31, the suggestion was rejected in 2. In the other 29 nobody had answered at all. Silence is the most common design decision there is.",
      "lang" : "en",
      "in_reply_to_screen_name" : "moduya",
      "in_reply_to_user_id_str" : "1180422764410593280"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1897213680396629337"
          ],
          "editableUntil" : "2025-03-05T10:12:44.578Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "138"
      ],
      "favorite_count" : "14",
      "id_str" : "1897213680396629337",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1897213680396629337",
      "created_at" : "Wed Mar 05 09:12:44 +0000 2025",
      "favorited" : false,
      "full_text" : "Read 40 incident reports in a row. In 31, the fix had been suggested before the incident, in writing, by someone who had since moved team.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1864026259209033807"
          ],
          "editableUntil" : "2024-12-03T20:17:46.889Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [
          {
            "text" : "linux",
            "indices" : [
              "169",
              "175"
            ]
          },
          {
            "text" : "storage",
            "indices" : [
              "176",
              "184"
            ]
          }
        ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [
          {
            "url" : "https://t.co/ksf1rHOKQh",
            "expanded_url" : "https://docs.kernel.org/admin-guide/sysctl/vm.html",
            "display_url" : "docs.kernel.org/admin-guid…",
            "indices" : [
              "145",
              "168"
            ]
          }
        ]
      },
      "display_text_range" : [
        "0",
        "184"
      ],
      "favorite_count" : "4",
      "id_str" : "1864026259209033807",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1864026259209033807",
      "possibly_sensitive" : false,
      "created_at" : "Tue Dec 03 19:17:46 +0000 2024",
      "favorited" : false,
      "full_text" : "The kernel's documentation on dirty page writeback is dry, honest, &amp; better than most blog posts on the subject (mine included). Start here: https://t.co/ksf1rHOKQh #linux #storage",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1843938332118376362"
          ],
          "editableUntil" : "2024-10-09T09:55:31.314Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "116"
      ],
      "favorite_count" : "23",
      "id_str" : "1843938332118376362",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1843938332118376362",
      "created_at" : "Wed Oct 09 08:55:31 +0000 2024",
      "favorited" : false,
      "full_text" : "\"It scales\" is not a property; it is a sentence with the number left out. To what, on what, at what price per month?",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1820837978628474278"
          ],
          "editableUntil" : "2024-08-06T16:02:58.104Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "133"
      ],
      "favorite_count" : "57",
      "id_str" : "1820837978628474278",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1820837978628474278",
      "created_at" : "Tue Aug 06 15:02:58 +0000 2024",
      "favorited" : false,
      "full_text" : "Deleted: 1 service, 2 queues, 14 dashboards, 1 weekly meeting. Users affected: 0. Colleagues affected: 5, all of them by the meeting.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1790287009704317613"
          ],
          "editableUntil" : "2024-05-14T08:44:19.607Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "56"
      ],
      "favorite_count" : "14",
      "id_str" : "1790287009704317613",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1790287009704317613",
      "created_at" : "Tue May 14 07:44:19 +0000 2024",
      "favorited" : false,
      "full_text" : "A checksum that nobody verifies is a decorative integer.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1770036522588816157"
          ],
          "editableUntil" : "2024-03-19T11:36:07.349Z",
          "editsRemaining" : "5",
          "isEditEligible" : false
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [
          {
            "name" : "Tobias Reck",
            "screen_name" : "tobias_reck",
            "indices" : [
              "0",
              "12"
            ],
            "id_str" : "998213377015640064",
            "id" : "998213377015640064"
          }
        ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "120"
      ],
      "favorite_count" : "57",
      "in_reply_to_status_id_str" : "1770032653455813175",
      "id_str" : "1770036522588816157",
      "in_reply_to_user_id" : "998213377015640064",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1770036522588816157",
      "in_reply_to_status_id" : "1770032653455813175",
      "created_at" : "Tue Mar 19 10:36:07 +0000 2024",
      "favorited" : false,
      "full_text" : "@tobias_reck I counted. Your build script is 44 lines, 9 of them jokes. It also works, so I withdraw the review comment.",
      "lang" : "en",
      "in_reply_to_screen_name" : "tobias_reck",
      "in_reply_to_user_id_str" : "998213377015640064"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1749706490694233414"
          ],
          "editableUntil" : "2024-01-23T09:11:50.432Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "142"
      ],
      "favorite_count" : "9",
      "id_str" : "1749706490694233414",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1749706490694233414",
      "created_at" : "Tue Jan 23 08:11:50 +0000 2024",
      "favorited" : false,
      "full_text" : "I was wrong about this: compression did not slow our log writer down. It made it 1.7× faster, because the CPU was idle &amp; the disk was not.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1724859905454032792"
          ],
          "editableUntil" : "2023-11-15T19:40:22.660Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"http://twitter.com/download/android\" rel=\"nofollow\">Twitter for Android</a>",
      "entities" : {
        "hashtags" : [
          {
            "text" : "sre",
            "indices" : [
              "125",
              "129"
            ]
          }
        ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "129"
      ],
      "favorite_count" : "4",
      "id_str" : "1724859905454032792",
      "truncated" : false,
      "retweet_count" : "2",
      "id" : "1724859905454032792",
      "created_at" : "Wed Nov 15 18:40:22 +0000 2023",
      "favorited" : false,
      "full_text" : "Our disaster recovery document was stored on the system it describes. It is now also on paper, in a drawer, next to a torch. #sre",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1701585108718258134"
          ],
          "editableUntil" : "2023-09-12T14:14:38.006Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"http://twitter.com/download/android\" rel=\"nofollow\">Twitter for Android</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "73"
      ],
      "favorite_count" : "9",
      "id_str" : "1701585108718258134",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1701585108718258134",
      "created_at" : "Tue Sep 12 13:14:38 +0000 2023",
      "favorited" : false,
      "full_text" : "There are two kinds of timeout: the one you set and the one you discover.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1674326697750633960"
          ],
          "editableUntil" : "2023-06-29T08:59:26.319Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "105"
      ],
      "favorite_count" : "6",
      "id_str" : "1674326697750633960",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1674326697750633960",
      "created_at" : "Thu Jun 29 07:59:26 +0000 2023",
      "favorited" : false,
      "full_text" : "Sanding a hull &amp; cleaning up a schema have this in common: the last 5% shows, and nobody pays for it.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1658432244472216146"
          ],
          "editableUntil" : "2023-05-16T12:20:33.132Z",
          "editsRemaining" : "5",
          "isEditEligible" : false
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"http://twitter.com/download/android\" rel=\"nofollow\">Twitter for Android</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [
          {
            "name" : "J. Kaspersen",
            "screen_name" : "kaspersen_ops",
            "indices" : [
              "3",
              "17"
            ],
            "id_str" : "2290113845",
            "id" : "2290113845"
          }
        ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "95"
      ],
      "favorite_count" : "0",
      "id_str" : "1658432244472216146",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1658432244472216146",
      "created_at" : "Tue May 16 11:20:33 +0000 2023",
      "favorited" : false,
      "full_text" : "RT @kaspersen_ops: Reminder that \"read only replica\" describes an intention. Revoke the grants.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1648367799607898880"
          ],
          "editableUntil" : "2023-04-18T17:48:03.640Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [
          {
            "url" : "https://t.co/3VYTF8wc5D",
            "expanded_url" : "https://oduya.example/notes/eventually",
            "display_url" : "oduya.example/notes/eventu…",
            "indices" : [
              "112",
              "135"
            ]
          }
        ]
      },
      "display_text_range" : [
        "0",
        "135"
      ],
      "favorite_count" : "14",
      "id_str" : "1648367799607898880",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1648367799607898880",
      "possibly_sensitive" : false,
      "created_at" : "Tue Apr 18 16:48:03 +0000 2023",
      "favorited" : false,
      "full_text" : "A note on why \"eventually\" in eventual consistency deserves a number, with ours (p99 = 340 ms, worst = 6 days): https://t.co/3VYTF8wc5D",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1627948160210446721"
          ],
          "editableUntil" : "2023-02-21T09:27:41.226Z",
          "editsRemaining" : "5",
          "isEditEligible" : false
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [
          {
            "name" : "Ilse van Dam",
            "screen_name" : "ilse_vandam",
            "indices" : [
              "0",
              "12"
            ],
            "id_str" : "731150928842207232",
            "id" : "731150928842207232"
          }
        ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "157"
      ],
      "favorite_count" : "23",
      "in_reply_to_status_id_str" : "1627941738614576225",
      "id_str" : "1627948160210446721",
      "in_reply_to_user_id" : "731150928842207232",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1627948160210446721",
      "in_reply_to_status_id" : "1627941738614576225",
      "created_at" : "Tue Feb 21 08:27:41 +0000 2023",
      "favorited" : false,
      "full_text" : "@ilse_vandam Take the write amplification first; if you rewrite each page 11 times, the speed of the disk is somebody else's problem. Measure it, then argue.",
      "lang" : "en",
      "in_reply_to_screen_name" : "ilse_vandam",
      "in_reply_to_user_id_str" : "731150928842207232"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1612910472122663455"
          ],
          "editableUntil" : "2023-01-10T21:33:17.719Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"http://twitter.com/download/android\" rel=\"nofollow\">Twitter for Android</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "67"
      ],
      "favorite_count" : "0",
      "id_str" : "1612910472122663455",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1612910472122663455",
      "created_at" : "Tue Jan 10 20:33:17 +0000 2023",
      "favorited" : false,
      "full_text" : "The index was fine. The statistics about the index were from March.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1587007950617846182"
          ],
          "editableUntil" : "2022-10-31T10:05:55.688Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"http://twitter.com/download/android\" rel=\"nofollow\">Twitter for Android</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "142"
      ],
      "favorite_count" : "57",
      "id_str" : "1587007950617846182",
      "truncated" : false,
      "retweet_count" : "5",
      "id" : "1587007950617846182",
      "created_at" : "Mon Oct 31 09:05:55 +0000 2022",
      "favorited" : false,
      "full_text" : "Every estimate of \"a couple of days\" I have kept a record of (n = 64) took a median of 9. The boring answer is to multiply by four and say so.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1562059869527510919"
          ],
          "editableUntil" : "2022-08-23T13:51:09.589Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "76"
      ],
      "favorite_count" : "23",
      "id_str" : "1562059869527510919",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1562059869527510919",
      "created_at" : "Tue Aug 23 12:51:09 +0000 2022",
      "favorited" : false,
      "full_text" : "Spent the day proving that the network was not at fault. It was the network.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1534071535397355583"
          ],
          "editableUntil" : "2022-06-07T08:15:30.978Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "77"
      ],
      "favorite_count" : "4",
      "id_str" : "1534071535397355583",
      "truncated" : false,
      "retweet_count" : "1",
      "id" : "1534071535397355583",
      "created_at" : "Tue Jun 07 07:15:30 +0000 2022",
      "favorited" : false,
      "full_text" : "p50 &lt; 20 ms, p99 &gt; 2 s. The median is fine &amp; the customers are not.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1508494816654991961"
          ],
          "editableUntil" : "2022-03-28T18:22:45.505Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"http://twitter.com/download/android\" rel=\"nofollow\">Twitter for Android</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "113"
      ],
      "favorite_count" : "57",
      "id_str" : "1508494816654991961",
      "truncated" : false,
      "retweet_count" : "5",
      "id" : "1508494816654991961",
      "created_at" : "Mon Mar 28 17:22:45 +0000 2022",
      "favorited" : false,
      "full_text" : "Found today in a runbook: \"if this does not work, ask Pieter\". Pieter retired in 2018. He was very nice about it.",
      "lang" : "en"
    }
  },
  {
    "tweet" : {
      "edit_info" : {
        "initial" : {
          "editTweetIds" : [
            "1483720936116510635"
          ],
          "editableUntil" : "2022-01-19T09:40:12.099Z",
          "editsRemaining" : "5",
          "isEditEligible" : true
        }
      },
      "retweeted" : false,
      "source" : "<a href=\"https://mobile.twitter.com\" rel=\"nofollow\">Twitter Web App</a>",
      "entities" : {
        "hashtags" : [ ],
        "symbols" : [ ],
        "user_mentions" : [ ],
        "urls" : [ ]
      },
      "display_text_range" : [
        "0",
        "87"
      ],
      "favorite_count" : "4",
      "id_str" : "1483720936116510635",
      "truncated" : false,
      "retweet_count" : "0",
      "id" : "1483720936116510635",
      "created_at" : "Wed Jan 19 08:40:12 +0000 2022",
      "favorited" : false,
      "full_text" : "A system with one caller has an interface. A system with two callers has a negotiation.",
      "lang" : "en"
    }
  }
]