terraform {
  required_version = ">= 1.8"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.40"
    }
  }

  # One state an environment, in a bucket that keeps versions and is encrypted. From Terraform 1.10 on,
  # `use_lockfile = true` can take the place of the lock table.
  backend "s3" {
    bucket         = "YOUR-STATE-BUCKET"
    key            = "quilt-mcp/staging/terraform.tfstate"
    region         = "YOUR-REGION"
    dynamodb_table = "YOUR-LOCK-TABLE"
    encrypt        = true
  }
}

provider "aws" {
  region = "YOUR-REGION"

  # Credentials for any other account are refused before anything is asked.
  allowed_account_ids = ["YOUR-ACCOUNT-ID"]

  default_tags {
    tags = {
      Project     = "quilt"
      Environment = "staging"
      Owner       = "YOUR-TEAM"
      CostCenter  = "YOUR-COST-CENTER"
    }
  }
}
